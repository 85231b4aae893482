// SPDX-License-Identifier: Apache-2.0
// RFC 9260 §5: how an association comes to be, from either end or from both at once.
// File order follows the handshake: INIT, INIT-ACK, COOKIE-ECHO, COOKIE-ACK, time-outs.
#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include "sctp/association.h"
#include "sctp/packet/cookie_chunk.h"
#include "sctp/packet/error_cause.h"
#include "sctp/packet/error_chunk.h"
#include "sctp/packet/init_chunk.h"
#include "sctp/packet/init_parameters.h"
#include "sctp/setup_terms.h"

namespace millrace::sctp {
namespace {

// RFC 9260 §6.2: no setting may delay a SACK for longer.
constexpr Duration kMaxSackDelay = milliseconds(500);

}  // namespace

void Association::connect(Time now, Duration patience) {
  if (dead_ || state_ != State::kClosed) return;
  // One that was signalled to a peer who did not answer in kind is as good as any.
  if (local_tag_.is_zero()) local_tag_ = fresh_tag(rng_);
  if (patience <= Duration::zero()) return start_init(now);
  // RFC 9260 §5.2.1: in COOKIE-WAIT already, so that a cookie made now is still good when
  // patience ends between the peer's INIT and its COOKIE-ECHO.
  state_ = State::kCookieWait;
  init_held_ = true;
  t1_.start(now, patience, patience);
}

// draft-hancke-tsvwg-snap, "SCTP considerations": established when DTLS is, for steps A to E of
// RFC 9260 §5.1 have been done by signalling.
void Association::connect_out_of_band(Time now, const PeerInit& peer) {
  CHECK(!local_tag_.is_zero());
  if (dead_ || state_ != State::kClosed) return;
  peer_tag_ = peer.fields.initiate_tag;
  begin_exchange(now, terms_with(peer.fields, peer.extensions));
  enter_established(now);
}

// What the peer's INIT or INIT-ACK says, as a cookie of this end's own would: `begin_exchange`
// needs no other form.
StateCookie Association::terms_with(const InitFields& init,
                                    const PeerExtensions& extensions) const {
  StateCookie peer;
  peer.peer_initial_tsn = init.initial_tsn;
  peer.peer_a_rwnd = init.a_rwnd;
  // RFC 9260 §5.1.1: each way the minimum of what one end asks for and the other allows.
  peer.outgoing_streams = std::min(options_.outgoing_streams, init.inbound_streams);
  peer.incoming_streams = std::min(options_.incoming_streams, init.outbound_streams);
  peer.extensions = in_common(options_.extensions, extensions);
  return peer;
}

void Association::start_init(Time now) {
  // RFC 9260 §5.1 (A). Tag, TSN and parameters stay the same however often it is sent.
  state_ = State::kCookieWait;
  peer_tag_ = VerificationTag();
  init_held_ = false;
  init_due_ = true;
  init_sent_ = now;
  t1_.start(now, options_.rto_initial, options_.t1_max);
}

std::size_t Association::write_init(MutableByteSpan out) {
  if (!init_due_) return 0;
  init_due_ = false;
  std::array<std::uint8_t, kMaxInitParameterBytes> memory;
  TlvWriter parameters(memory);
  append_extensions(options_.extensions, parameters);
  // RFC 9260 §8.5.1 (A): INIT goes under a tag of zero, which peer_tag_ is in COOKIE-WAIT.
  PacketWriter packet(out, header_to_peer());
  packet.append(
      InitChunk{init_fields(options_, local_tag_, local_initial_tsn_, parameters.bytes())});
  return packet.finish();
}

void Association::handle_init(Time now, const ChunkView& chunk) {
  const auto init = InitChunk::parse(chunk.bytes);
  // RFC 9260 §3.3.2: an initiate tag of zero is discarded in silence.
  if (!init || init->initiate_tag.is_zero()) return drop(DropReason::kMalformedChunk);
  if (!has_valid_fields(*init)) {
    drop(DropReason::kMalformedChunk);
    return refuse_init(init->initiate_tag, CauseCode::kInvalidMandatoryParameter);
  }
  const auto parameters = InitParameters::parse(init->parameters);
  if (!parameters) return drop(DropReason::kMalformedParameter);
  if (parameters->host_name) {
    // RFC 9260 §3.3.2.1 Note 3.
    drop(DropReason::kMalformedParameter);
    return refuse_init(init->initiate_tag, CauseCode::kUnresolvableAddress);
  }
  if (state_ == State::kShutdownAckSent) {
    // RFC 9260 §9.2: the peer has not heard the last SHUTDOWN-ACK.
    drop(DropReason::kUnexpectedState);
    shutdown_due_ = true;
    return;
  }
  send_init_ack(now, *init, *parameters);
}

void Association::refuse_init(VerificationTag initiate_tag, CauseCode cause) {
  std::array<std::uint8_t, 8> memory;
  TlvWriter causes(memory);
  causes.append(static_cast<std::uint16_t>(cause), {});
  queue_alone(initiate_tag, AbortChunk{.tag_reflected = false, .causes = causes.bytes()});
}

void Association::send_init_ack(Time now, const InitFields& init,
                                const InitParameters& parameters) {
  StateCookie cookie = terms_with(init, parameters);
  cookie.created = now;
  cookie.lifetime = options_.cookie_lifetime;
  cookie.peer_tag = init.initiate_tag;
  cookie.local_initial_tsn = local_initial_tsn_;
  if (state_ == State::kCookieWait || state_ == State::kCookieEchoed) {
    // RFC 9260 §5.2.1: both ends open at once; the parameters of this end's own INIT.
    cookie.local_tag = local_tag_;
  } else {
    // RFC 9260 §5.1 (B), §5.2.2.
    cookie.local_tag = fresh_tag(rng_);
    if (state_ != State::kClosed) cookie.local_initial_tsn = Tsn(rng_.next_u32());
  }
  if (state_ != State::kClosed && state_ != State::kCookieWait) {
    cookie.local_tie_tag = local_tag_;
    cookie.peer_tie_tag = peer_tag_;
  }

  std::array<std::uint8_t, kMaxInitParameterBytes> memory;
  TlvWriter out(memory);
  const StateCookie::Sealed sealed = cookie.seal(options_.cookie_key, mac_);
  out.append(StateCookieParameter{sealed});
  append_extensions(options_.extensions, out);
  // RFC 9260 §3.2.1: what the peer wants to be told of and there is room for.
  for (std::size_t i = 0; i < parameters.unrecognized_count; ++i) {
    if (!out.append(UnrecognizedParameter{parameters.unrecognized[i]})) break;
  }
  queue_alone(init.initiate_tag, InitAckChunk{init_fields(options_, cookie.local_tag,
                                                          cookie.local_initial_tsn, out.bytes())});
}

void Association::handle_init_ack(Time now, const ChunkView& chunk) {
  // RFC 9260 §5.2.3: of use in COOKIE-WAIT alone, and only as the answer to an INIT.
  if (state_ != State::kCookieWait || init_held_) return drop(DropReason::kUnexpectedState);
  const auto init_ack = InitAckChunk::parse(chunk.bytes);
  if (!init_ack) return drop(DropReason::kMalformedChunk);
  const auto parameters = InitParameters::parse(init_ack->parameters);
  if (!parameters) return drop(DropReason::kMalformedParameter);

  // RFC 9260 §3.3.3: these end the attempt.
  if (init_ack->initiate_tag.is_zero()) return close(CloseReason::kSetupRefused);
  peer_tag_ = init_ack->initiate_tag;
  if (!has_valid_fields(*init_ack)) {
    return abort_with(CloseReason::kSetupRefused, CauseCode::kInvalidMandatoryParameter);
  }
  if (parameters->host_name) {
    return abort_with(CloseReason::kSetupRefused, CauseCode::kUnresolvableAddress);
  }
  const ByteSpan cookie = parameters->state_cookie.value_or(ByteSpan());
  const std::size_t room = options_.max_packet_bytes - CommonHeader::kBytes - kChunkHeaderBytes;
  if (cookie.empty() || cookie.size() > room) {
    // RFC 9260 §3.3.10.2: one missing parameter, the State Cookie (7).
    constexpr std::array<std::uint8_t, 6> kMissingCookie{0, 0, 0, 1, 0, 7};
    return abort_with(CloseReason::kSetupRefused, CauseCode::kMissingMandatoryParameter,
                      kMissingCookie);
  }
  cookie_.assign(cookie.begin(), cookie.end());
  report_unrecognized(*parameters);

  // RFC 9260 §6.3.1 (C5), Karn's rule: only an INIT sent once gives a round trip.
  const bool sample = t1_.expiries() == 0 && setup_attempts_ == 0 && now > init_sent_;
  begin_exchange(now, terms_with(*init_ack, *parameters));
  if (sample) sender_->observe_rtt(now - init_sent_);

  // RFC 9260 §5.1 (C).
  state_ = State::kCookieEchoed;
  init_due_ = false;
  cookie_echo_due_ = true;
  t1_.start(now, sender_->rto().rto(), options_.t1_max);
}

// RFC 9260 §3.2.1: parameters of an INIT-ACK are reported in an ERROR behind COOKIE-ECHO.
void Association::report_unrecognized(const InitParameters& parameters) {
  std::array<std::uint8_t, kMaxInitParameterBytes> memory;
  TlvWriter list(memory);
  for (std::size_t i = 0; i < parameters.unrecognized_count; ++i) {
    const ByteSpan parameter = parameters.unrecognized[i];
    if (!list.append(load_be16(parameter.data()), parameter.subspan(kTlvHeaderBytes))) break;
  }
  if (list.bytes().empty()) return;
  std::array<std::uint8_t, kMaxInitParameterBytes + kTlvHeaderBytes> cause_memory;
  TlvWriter causes(cause_memory);
  causes.append(UnrecognizedParametersCause{list.bytes()});
  queue(ErrorChunk{causes.bytes()});
}

// The peer's parameters are known: makes the receiving half, lets the sending half send.
void Association::begin_exchange(Time now, const StateCookie& peer) {
  peer_initial_tsn_ = peer.peer_initial_tsn;
  outgoing_streams_ = peer.outgoing_streams;
  incoming_streams_ = peer.incoming_streams;
  extensions_ = peer.extensions;
  // What has been sent cannot be sent again on these terms: see enter_established.
  successor_.reset();
  if (sending_ &&
      !sender_->may_go_on(outgoing_streams_, extensions_.forward_tsn, extensions_.i_data)) {
    successor_ = std::make_unique<StateCookie>(peer);
    return;
  }
  DataReceiverOptions options;
  options.peer_initial_tsn = peer.peer_initial_tsn;
  options.streams = incoming_streams_;
  options.window_bytes = options_.receive_window_bytes;
  options.max_window_bytes = options_.max_receive_window_bytes;
  options.budget = options_.receive_budget;
  options.max_message_bytes = options_.max_received_message_bytes;
  options.part_bytes = options_.partial_delivery_bytes;
  options.i_data = extensions_.i_data;
  options.sack_delay = std::min(options_.sack_delay, kMaxSackDelay);
  options.hash_seed = rng_.next();
  receiver_.emplace(options, pool_);
  // A second INIT-ACK or cookie may be of another peer than the first.
  if (!std::exchange(sending_, true) || !sender_->has_begun()) {
    sender_->establish(now, peer.peer_a_rwnd, outgoing_streams_, extensions_.forward_tsn,
                       extensions_.i_data);
  } else {
    sender_->set_streams(outgoing_streams_);  // Its SACKs correct the window.
  }
}

// Nothing sent or held before survives: what was cut for one peer another may not know how to take.
void Association::forget(Tsn local_initial_tsn) {
  ++stats_.restarts;
  // The counters of the halves that end here live on in stats_.
  const Stats so_far = stats();
  stats_ = so_far;
  stream_reset_.restart();
  sender_->end_messages();
  const MessageNews news = sender_->take_news();
  make_halves(local_initial_tsn);
  sender_->give_news(news);
}

Association::Next Association::handle_cookie_echo(Time now, const CommonHeader& header,
                                                  const ChunkView& chunk) {
  const auto echo = CookieEchoChunk::parse(chunk.bytes);
  const auto cookie =
      echo ? StateCookie::open(echo->cookie, options_.cookie_key, mac_) : std::nullopt;
  // RFC 9260 §5.1.5 (1, 2): a cookie that this end did not make is discarded in silence.
  if (!cookie) {
    drop(DropReason::kBadCookie);
    return Next::kDiscardPacket;
  }
  // RFC 9260 §5.1.5 (3).
  if (header.verification_tag != cookie->local_tag) {
    drop(DropReason::kCookieTagMismatch);
    return Next::kDiscardPacket;
  }
  const bool current =
      state_ != State::kClosed && cookie->local_tag == local_tag_ && cookie->peer_tag == peer_tag_;
  // RFC 9260 §5.1.5 (4), §5.2.4 (3): age does not matter where both tags match.
  if (cookie->is_stale(now) && !current) {
    drop(DropReason::kStaleCookie);
    tell_stale(now, *cookie);
    return Next::kDiscardPacket;
  }
  return resolve_cookie(now, *cookie);
}

void Association::tell_stale(Time now, const StateCookie& cookie) {
  const auto late =
      std::chrono::duration_cast<microseconds>(now - cookie.created - cookie.lifetime).count();
  std::array<std::uint8_t, 8> memory;
  TlvWriter causes(memory);
  causes.append(StaleCookieCause{
      static_cast<std::uint32_t>(std::clamp<microseconds::rep>(late, 0, 0xFFFFFFFF))});
  queue_alone(cookie.peer_tag, ErrorChunk{causes.bytes()});
}

// RFC 9260 §5.1.5 (5) and the action table of §5.2.4.
Association::Next Association::resolve_cookie(Time now, const StateCookie& cookie) {
  const bool same_local = cookie.local_tag == local_tag_;
  const bool same_peer = cookie.peer_tag == peer_tag_;
  // NOLINTNEXTLINE(bugprone-branch-clone): two rows of the table have one action.
  if (state_ == State::kClosed) {
    adopt(now, cookie);
  } else if (same_local && same_peer) {
    // RFC 9260 §5.2.4 (D): the peer's COOKIE-ECHO, first or repeated.
    if (state_ == State::kCookieEchoed) enter_established(now);
  } else if (same_local && !is_of_successor(cookie)) {
    // RFC 9260 §5.2.4 (B): both opened at once.
    adopt(now, cookie);
  } else if (!same_peer && !cookie.local_tie_tag.is_zero() && cookie.local_tie_tag == local_tag_ &&
             cookie.peer_tie_tag == peer_tag_) {
    // RFC 9260 §5.2.4 (A): the peer has restarted.
    if (state_ == State::kShutdownAckSent) {
      drop(DropReason::kUnexpectedState);
      shutdown_due_ = true;
      std::array<std::uint8_t, 4> memory;
      TlvWriter causes(memory);
      causes.append(CookieReceivedWhileShuttingDownCause{});
      queue(ErrorChunk{causes.bytes()});
      return Next::kDiscardPacket;
    }
    restart(now, cookie);
  } else {
    // RFC 9260 §5.2.4 (C), and whatever the table does not show.
    drop(DropReason::kCookieTagMismatch);
    // The association that it was to replace has been replaced by another of the peer's lives: to
    // its last one silence would be for ever. To any other the word is under a wrong tag.
    if (!same_local && !same_peer && !cookie.local_tie_tag.is_zero()) tell_stale(now, cookie);
    return Next::kDiscardPacket;
  }
  queue(CookieAckChunk{});
  return Next::kContinue;
}

// RFC 9260 §5.2.4 (B) takes it that a peer with another tag has nothing of this end's yet. Once
// set-up is over that is not so: whom this end's INIT found has acknowledged what whoever came in
// its place, and sent this cookie, does not have. A restart, though §5.2.1 made the tag the same.
bool Association::is_of_successor(const StateCookie& cookie) const {
  return state_ != State::kCookieWait && state_ != State::kCookieEchoed &&
         cookie.peer_initial_tsn != peer_initial_tsn_;
}

// Takes a cookie's word for the association: §5.1.5, or §5.2.4 (B).
void Association::adopt(Time now, const StateCookie& cookie) {
  local_tag_ = cookie.local_tag;
  peer_tag_ = cookie.peer_tag;
  const bool first = state_ == State::kClosed || state_ == State::kCookieWait;
  const bool same_data = receiver_ && cookie.peer_initial_tsn == peer_initial_tsn_;
  if (first || !same_data) begin_exchange(now, cookie);
  if (first || state_ == State::kCookieEchoed) enter_established(now);
}

void Association::restart(Time now, const StateCookie& cookie) {
  control_.clear();
  forget(cookie.local_initial_tsn);
  t2_.stop();
  t5_ = kNever;
  shutdown_due_ = shutdown_requested_ = heartbeat_due_ = false;
  heartbeat_.stop();
  error_count_ = 0;
  local_tag_ = cookie.local_tag;
  peer_tag_ = cookie.peer_tag;
  begin_exchange(now, cookie);
  enter_established(now);
  events_.back().kind = EventKind::kRestarted;
}

void Association::handle_cookie_ack(Time now) {
  // RFC 9260 §5.2.5.
  if (state_ != State::kCookieEchoed) return drop(DropReason::kUnexpectedState);
  enter_established(now);
}

// RFC 9260 §5.1 (D, E).
void Association::enter_established(Time now) {
  state_ = State::kEstablished;
  // Data had been sent with COOKIE-ECHO to a peer that has restarted since, as another. Not before
  // the application can be told is it lost: what is sent meanwhile is, too.
  const std::unique_ptr<StateCookie> successor = std::move(successor_);
  if (successor) {
    forget(local_initial_tsn_);
    begin_exchange(now, *successor);
  }
  t1_.stop();
  init_due_ = cookie_echo_due_ = false;
  cookie_ = std::vector<std::uint8_t>();  // Its memory, too.
  error_count_ = 0;
  heartbeat_.restart(now, sender_->rto().rto());
  start_path_mtu();
  stream_reset_.establish(local_initial_tsn_, peer_initial_tsn_, outgoing_streams_,
                          incoming_streams_, extensions_.reconfig, *sender_);
  Event event;
  event.kind = EventKind::kConnected;
  event.incoming_streams = incoming_streams_;
  event.outgoing_streams = outgoing_streams_;
  events_.push_back(event);
  if (successor) {
    event.kind = EventKind::kRestarted;
    events_.push_back(event);
  }
  if (shutdown_requested_) shutdown(now);
}

// RFC 9260 §5.2.6: of its three choices, a new INIT; as often as INIT may be repeated.
void Association::handle_stale_cookie(Time now) {
  if (state_ != State::kCookieEchoed) return drop(DropReason::kUnexpectedState);
  if (++setup_attempts_ > options_.max_init_retransmits) return close(CloseReason::kSetupTimeout);
  cookie_echo_due_ = false;
  control_.clear();
  // Under another tag: the peer may have taken a later cookie than the one that the error is of,
  // and for a new one with a tag that it knows already §5.2.4 has no row.
  local_tag_ = fresh_tag(rng_);
  start_init(now);
}

// RFC 9260 §5.1.6: both are sent again, unchanged, up to Max.Init.Retransmits.
void Association::expire_t1(Time now) {
  if (!t1_.expire(now)) return;
  if (init_held_) return start_init(now);
  if (t1_.expiries() > options_.max_init_retransmits) return close(CloseReason::kSetupTimeout);
  if (state_ == State::kCookieWait) init_due_ = true;
  if (state_ == State::kCookieEchoed) cookie_echo_due_ = true;
}

}  // namespace millrace::sctp
