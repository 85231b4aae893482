// SPDX-License-Identifier: Apache-2.0
//
// From signalling to an open session: claim or dial, ICE, DTLS flights, SCTP.
#include <algorithm>
#include <utility>

#include "engine/shard/copied_datagram.h"
#include "engine/shard/shard_core.h"
#include "engine/signalling.h"

namespace millrace::engine {
namespace {

// How long a DTLS server waits for its client's INIT before it sends its own: more than a
// round trip and the client's last work on the handshake take on most paths.
constexpr Duration kInitPatience = milliseconds(100);

// Without a message for so long a shard has no traffic that a flight would hold up.
constexpr Duration kQuiet = milliseconds(100);

CloseReason reason_of(crypto::CloseReason reason, bool open) {
  switch (reason) {
    case crypto::CloseReason::kFingerprintMismatch:
      return CloseReason::kFingerprintMismatch;
    case crypto::CloseReason::kHandshakeTimeout:
      return CloseReason::kHandshakeTimeout;
    case crypto::CloseReason::kCloseNotify:
    case crypto::CloseReason::kPeerAlert:
      return open ? CloseReason::kPeer : CloseReason::kHandshakeFailed;
    case crypto::CloseReason::kKeysWornOut:
      return CloseReason::kResourceLimit;
    case crypto::CloseReason::kNone:
    case crypto::CloseReason::kLocal:
      return CloseReason::kLocal;
    case crypto::CloseReason::kHandshakeFailed:
    case crypto::CloseReason::kNoPeerCertificate:
      break;
  }
  return CloseReason::kHandshakeFailed;
}

}  // namespace

Session* ShardCore::add_session(SessionId id, io::SocketId socket) {
  if (free_slots_.empty()) return nullptr;
  const std::uint32_t slot = free_slots_.back();
  free_slots_.pop_back();
  slots_[slot] = session_memory_.make(id, slot, socket);
  Session& session = *slots_[slot];
  by_id_[id] = slot;
  live_.store(by_id_.size(), std::memory_order_relaxed);
  session.deadline = now_ + world_.settings.options.handshake_timeout;
  touch(session);
  return &session;
}

io::SocketOptions ShardCore::socket_options() const {
  io::SocketOptions options;
  options.receive_buffer_bytes = options.send_buffer_bytes =
      static_cast<std::uint32_t>(world_.settings.options.socket_buffer_bytes);
  return options;
}

// What comes in through a dialling socket is its one session's.
void ShardCore::own_socket(Session& session) {
  session.owns_socket = true;
  const std::uint32_t place = io::socket_slot(session.path.socket());
  if (by_socket_.size() <= place) by_socket_.resize(place + 1);
  by_socket_[place] = session.slot + 1;
}

void ShardCore::disown_socket(Session& session) {
  by_socket_[io::socket_slot(session.path.socket())] = 0;
  sockets_.close_socket(session.path.socket());
}

// A lite peer learns our address from our checks alone (RFC 8445 §7.3.2), and none was sent yet:
// where a device would bring its datagrams to another shard's queue, a port is taken that brings
// them to ours. A full peer sends checks of its own to the port that the offer had, so that stays,
// and what comes to another queue is handed over (decision 0012).
void ShardCore::move_home(Session& session, const std::vector<ice::Candidate>& remotes) {
  const Address local = sockets_.local_address(session.path.socket());
  const ice::Candidate* best = nullptr;
  for (const ice::Candidate& remote : remotes) {
    const bool fits = remote.address.ip.family == local.ip.family;
    if (fits && (best == nullptr || remote.priority > best->priority)) best = &remote;
  }
  if (best == nullptr || sockets_.is_home(session.path.socket(), best->address)) return;
  io::SocketOptions options = socket_options();
  options.peer = best->address;
  const auto socket = sockets_.open_socket(Address{local.ip, 0}, options);
  if (!socket.ok()) return;  // The one that there is does, too.
  disown_socket(session);
  session.path.move_to(socket.value());
  own_socket(session);
}

Session* ShardCore::session_of_socket(io::SocketId socket) {
  const std::uint32_t place = io::socket_slot(socket);
  if (place >= by_socket_.size() || by_socket_[place] == 0) return nullptr;
  Session* const session = slots_[by_socket_[place] - 1].get();
  return session != nullptr && session->path.socket() == socket ? session : nullptr;
}

// Of the shards that try, exactly one wins; its session takes over what ICE has learnt.
Session* ShardCore::claim(Time now, EntryRef entry) {
  if (free_slots_.empty()) return nullptr;
  const Claim claim = table_.claim(entry, index_, free_slots_.back());
  if (claim.status != ClaimStatus::kWon) return nullptr;
  const auto& pending = static_cast<const PendingSession&>(*claim.payload);
  Session& session = *add_session(pending.id, listening_);
  session.entry = entry;
  session.terms = pending.terms;
  if (pending.static_peer) {
    session.path.use_static(*pending.static_peer);
  } else {
    session.path.use_lite(now, pending.ice, world_.settings.options.consent_timeout);
  }
  start_dtls(now, session);
  return &session;
}

void ShardCore::create_offer(const Engine::OfferOptions& options, SessionId id,
                             const Engine::OfferDone& done) {
  const auto fail = [&](SignalError::Kind kind, std::string reason) {
    world_.directory.forget(id);
    done(Failure(SignalError{kind, std::move(reason)}));
  };
  const std::optional<IpAddress> ip = IpAddress::parse(options.local_ip);
  // A wildcard would be the one candidate of the offer, and lead nowhere.
  if (!ip || ip->is_unspecified()) {
    return fail(SignalError::Kind::kInternal,
                "local_ip: '" + options.local_ip + "' is not an address of this host");
  }
  if (free_slots_.empty()) return fail(SignalError::Kind::kFull, "session limit reached");
  const auto socket = sockets_.open_socket(Address{*ip, 0}, socket_options());
  if (!socket.ok()) return fail(SignalError::Kind::kInternal, socket.error().message);

  Session& session = *add_session(id, socket.value());
  own_socket(session);
  session.phase = Session::Phase::kOffered;
  const LocalTerms terms = LocalTerms::draw(id, rng_);
  session.local = std::make_unique<ice::Credentials>(terms.ice);
  session.terms.local_init = terms.init;
  const Address local = sockets_.local_address(socket.value());
  done(Description{id, make_offer(world_.settings, terms, local)});
}

void ShardCore::accept_answer(SessionId id, const std::string& answer,
                              const Engine::AnswerDone& done) {
  Session* const session = find(id);
  if (session == nullptr || session->phase != Session::Phase::kOffered) {
    return done(SignalError{SignalError::Kind::kUnknown, "no such offer"});
  }
  const auto refuse = [&](SignalError error) {
    done(std::move(error));
    finish(*session, CloseReason::kHandshakeFailed);
  };
  const sdp::ParseResult parsed = sdp::parse_answer(answer);
  if (!parsed.ok()) return refuse(signal_error(parsed.error()));
  const sdp::RemoteDescription& remote = parsed.value();
  auto terms = terms_of(world_.settings, remote);
  if (!terms.ok()) return refuse(terms.error());
  terms.value().role = role_of(sdp::Setup::kActpass, remote.setup);
  terms.value().local_init = session->terms.local_init;
  session->terms = std::move(terms).value();
  // libdatachannel repeats what it does not know: an INIT of our own is no peer's.
  std::shared_ptr<const sctp::PeerInit>& init = session->terms.peer_init;
  if (init && init->fields.initiate_tag == session->terms.local_init.initiate_tag) init.reset();
  if (remote.ice_lite) move_home(*session, remote.candidates);
  ice::IceControllingAgent::Setup setup;
  setup.local = std::move(*session->local);
  session->local.reset();
  setup.remote = remote.ice;
  setup.remote_is_lite = remote.ice_lite;
  setup.local_addresses = {sockets_.local_address(session->path.socket()).ip};
  setup.remote_candidates = remote.candidates;
  ice::IceControllingAgent::Options options;
  options.consent_timeout = world_.settings.options.consent_timeout;
  session->path.use_controlling(std::make_unique<ice::IceControllingAgent>(
      now_, std::move(setup), options, rng_, world_.mac));
  session->phase = Session::Phase::kConnecting;
  start_dtls(now_, *session);
  touch(*session);
  done(std::nullopt);
}

void ShardCore::add_peer(SessionId id, const Address& local, const Address& remote,
                         RemoteTerms terms) {
  const auto fail = [&](const std::string& reason) {
    world_.directory.forget(id);
    world_.log("add_peer: " + reason);
    handler_->on_session_close(id, CloseReason::kResourceLimit);
  };
  if (free_slots_.empty()) return fail("session limit reached");
  io::SocketOptions options = socket_options();
  options.peer = remote;
  const auto socket = sockets_.open_socket(local, options);
  if (!socket.ok()) return fail(socket.error().message);
  Session& session = *add_session(id, socket.value());
  own_socket(session);
  session.terms = std::move(terms);
  session.path.use_static(remote);
  start_dtls(now_, session);
}

void ShardCore::start_dtls(Time now, Session& session) {
  session.dtls.emplace(world_.dtls, dtls_, session.terms.role, session.terms.fingerprints);
  session.handshaking = true;
  ++handshakes_;
  if (world_.tracer != nullptr && world_.tracer->wanted()) {
    const bool client = session.terms.role == crypto::Role::kClient;
    begin_trace(session, world_.tracer->begin(static_cast<std::uint64_t>(session.id), now,
                                              client ? "client" : "server"));
  }
  // A client's first flight waits for a path; a server's clock may start at once.
  if (session.terms.role == crypto::Role::kServer) {
    session.dtls->start(now);
    session.dtls_started = true;
  }
  touch(session);
}

// Whether the turn has time for a flight's public-key work: nobody waits for it, and the way
// to a worker and back is two wake-ups (decision 0007). Who spins counts microseconds, and
// is not asleep.
bool ShardCore::is_quiet(Time now) const {
  return now - last_message_ >= kQuiet && handshakes_ == 1 &&
         world_.settings.options.wait != WaitPolicy::kSpin;
}

void ShardCore::end_handshake(Session& session) {
  if (std::exchange(session.handshaking, false)) --handshakes_;
}

void ShardCore::submit_flight(Time now, Session& session) {
  if (!session.flight) session.flight = session.dtls->take_flight(now);
  // A ClientHello costs less than that way, whatever else there is.
  const bool cheap = session.flight->is_first_of_client();
  if (cheap || world_.workers.empty() || is_quiet(now)) {
    if (!cheap) ++counters_.flights_in_turn;
    session.flight->run();
    return land_flight(now, session, std::move(session.flight));
  }
  // A full queue: the flight is kept, and the session stays in the list of the touched.
  if (world_.workers.submit(session.id, session.flight, inbox_)) session.flight.reset();
}

void ShardCore::land_flight(Time now, Session& session,
                            std::unique_ptr<crypto::HandshakeFlight> flight) {
  if (!session.dtls || session.phase == Session::Phase::kClosed) return;
  session.dtls->return_flight(now, std::move(flight));
  touch(session);
  if (session.dtls->established() && session.phase == Session::Phase::kConnecting) {
    on_dtls_established(now, session);
  }
}

void ShardCore::on_dtls_established(Time now, Session& session) {
  end_handshake(session);
  sctp::Options options = world_.settings.sctp;
  options.remote_port = session.terms.sctp_port;
  session.terms.max_message_bytes =
      std::min(session.terms.max_message_bytes, sctp::kMaxMessageBytes);
  options.max_message_bytes = session.terms.max_message_bytes;
  options.receive_budget = &receive_budget_;
  // RFC 7675 §5.1: consent checks show every few seconds that the peer is there, to both
  // ends. RFC 9260 §8.3 lets the upper layer switch HEARTBEAT off, which then adds nothing.
  if (session.path.kind() != Path::Kind::kStatic) options.heartbeat_interval = Duration::zero();
  sctp::ChannelLimits limits;
  limits.max_message_bytes = session.terms.max_message_bytes;
  const auto role = session.terms.role == crypto::Role::kClient ? sctp::DtlsRole::kClient
                                                                : sctp::DtlsRole::kServer;
  const auto peer_init = std::exchange(session.terms.peer_init, nullptr);
  std::optional<sctp::LocalInit> signalled;
  if (peer_init) signalled = session.terms.local_init;
  session.sctp = sctp_memory_.make(options, role, limits, rng_, world_.mac, pool_, signalled);
  session.phase = Session::Phase::kAssociating;
  session.path.note_keys();
  session.heard = now;
  session.terms.fingerprints = std::vector<crypto::Fingerprint>();  // They have served.
  // A DTLS server has finished first: an INIT sent at once may overtake its own last flight,
  // and werift falls over one that comes before its handshake's end (test/interop/README.md).
  // The client's own INIT is on its way in nearly every case.
  const bool first = role == sctp::DtlsRole::kServer;
  if (peer_init) {
    session.sctp->association.connect_out_of_band(now, *peer_init);
  } else {
    session.sctp->association.connect(now, first ? kInitPatience : Duration::zero());
  }
  process_held(now, session);
}

// Application data that overtook the peer's Finished; on which path, nobody remembers.
void ShardCore::process_held(Time now, Session& session) {
  std::array<std::uint8_t, ControlQueue::kDatagramBytes> held;
  while (const std::size_t n = session.dtls->poll_held(held)) {
    const ice::CandidatePair* const pair = session.path.selected();
    if (pair == nullptr) continue;
    RxBuffer origin;
    origin.socket = session.path.socket();
    origin.source = pair->remote;
    origin.local = pair->local;
    // It was counted when it came.
    --session.traffic.datagrams_received;
    session.traffic.bytes_received -= n;
    process_copy(now, ByteSpan(held).first(n), origin, false);
  }
}

void ShardCore::advance(Time now) {
  // Handlers may touch further sessions meanwhile: the list grows under the loop.
  for (std::size_t i = 0; i < touched_.size(); ++i) {
    if (!touched_[i]->unserved) advance_session(now, *touched_[i]);
  }
}

void ShardCore::advance_session(Time now, Session& session) {
  if (session.phase == Session::Phase::kClosed) return poll_control(now, session);
  advance_ice(now, session);
  // ICE may have ended it: no flight of it is wanted any more.
  if (session.dtls && session.phase != Session::Phase::kClosed && !session.dtls->is_quiet()) {
    if (session.flight || session.dtls->flight_ready()) submit_flight(now, session);
    session.dtls->check_limits();
    if (session.dtls->closed() && session.phase != Session::Phase::kClosed) {
      const bool open = session.sctp != nullptr;
      finish(session, reason_of(session.dtls->close_reason(), open));
    }
  }
  if (session.sctp) {
    if (std::exchange(session.received, false)) {
      session.sctp->association.handle_burst_end(now);
      session.heard = now;
    }
    drain_events(now, session);
  }
  if (session.phase != Session::Phase::kClosed && now >= session.deadline) {
    finish(session, session.phase == Session::Phase::kClosing ? CloseReason::kLocal
                                                              : CloseReason::kHandshakeTimeout);
  }
  poll_control(now, session);
}

void ShardCore::advance_ice(Time now, Session& session) {
  if (const ice::IceLiteAgent* lite = session.path.lite(); lite != nullptr && lite->expired(now)) {
    finish(session, CloseReason::kConsentLost);
    return;
  }
  if (ice::IceControllingAgent* const agent = session.path.controlling(); agent != nullptr) {
    using Event = ice::IceControllingAgent::Event;
    Event event;
    while (agent->poll_event(event)) {
      if (event.type == Event::Type::kConsentLost) finish(session, CloseReason::kConsentLost);
      if (event.type == Event::Type::kFailed) finish(session, CloseReason::kIceFailed);
    }
  }
  if (session.dtls && !session.dtls_started && session.path.selected() != nullptr) {
    session.dtls->start(now);
    session.dtls_started = true;
  }
}

// Puts what ICE and DTLS have to say into the control queue.
void ShardCore::poll_control(Time now, Session& session) {
  if (ice::IceControllingAgent* const agent = session.path.controlling(); agent != nullptr) {
    for (;;) {
      const MutableByteSpan out = control_.begin();
      if (out.empty()) return wait_for_control(session);
      ice::CandidatePair pair;
      const std::size_t n = agent->poll_datagram(now, pair, out);
      if (n == 0) break;
      control_.push(session.path.to(pair), n);
    }
  }
  if (session.dtls && session.dtls->is_quiet()) return;
  // SCTP may have its first packet to send with DTLS's last (see Shard::write_behind).
  session.flight_waits =
      session.phase == Session::Phase::kOpen && session.dtls->last_flight_waiting() > 0;
  if (!session.flight_waits) poll_dtls(now, session);
}

void ShardCore::poll_dtls(Time now, Session& session) {
  const ice::CandidatePair* const pair = session.path.selected();
  if (!session.dtls || pair == nullptr || session.silent) return;
  for (;;) {
    const MutableByteSpan out = control_.begin();
    if (out.empty()) return wait_for_control(session);
    const std::size_t n = session.dtls->poll_datagram(now, out);
    if (n == 0) break;
    ++session.traffic.control_datagrams_sent;
    session.traffic.control_bytes_sent += static_cast<std::uint32_t>(n);
    control_.push(session.path.to(*pair), n);
  }
}

void ShardCore::poll_last_flight(Time now, Session& session, MutableByteSpan out) {
  session.flight_waits = false;
  const std::size_t n = session.dtls->poll_datagram(now, out);
  session.traffic.control_bytes_sent += static_cast<std::uint32_t>(n);
}

// The queue is full: the session stays in the list of the touched, for the next turn.
void ShardCore::wait_for_control(Session& session) { session.control_blocked = true; }

}  // namespace millrace::engine
