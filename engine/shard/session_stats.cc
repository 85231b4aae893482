// SPDX-License-Identifier: Apache-2.0
//
// What one session tells of itself. It is asked for through the inbox and written on the
// shard's thread: sessions that nobody asks about pay nothing.
#include <algorithm>
#include <utility>

#include "engine/shard/shard_core.h"

namespace millrace::engine {
namespace {

constexpr std::size_t kSlotsPerPage = 1u << 16;  // Looked at in one turn.

std::string_view phase_name(Session::Phase phase) {
  switch (phase) {
    case Session::Phase::kOffered:
      return "offered";
    case Session::Phase::kConnecting:
      return "connecting";
    case Session::Phase::kAssociating:
      return "associating";
    case Session::Phase::kOpen:
      return "open";
    case Session::Phase::kClosing:
      return "closing";
    case Session::Phase::kClosed:
      break;
  }
  return "closed";
}

std::string_view dtls_state(const Session& session) {
  if (!session.dtls) return "new";
  switch (session.dtls->state()) {
    case crypto::DtlsSession::State::kNew:
      return "new";
    case crypto::DtlsSession::State::kConnecting:
      return "connecting";
    case crypto::DtlsSession::State::kEstablished:
      return "connected";
    case crypto::DtlsSession::State::kClosed:
      break;
  }
  // Without keys it never was up.
  return session.dtls->record_keys() == nullptr ? "failed" : "closed";
}

std::string_view channel_state(sctp::ChannelState state) {
  switch (state) {
    case sctp::ChannelState::kConnecting:
      return "connecting";
    case sctp::ChannelState::kOpen:
      return "open";
    case sctp::ChannelState::kClosing:
      break;
  }
  return "closing";
}

void describe_ice(const Session& session, TransportStats& out) {
  out.ice_role = "unknown";
  if (session.path.kind() == Path::Kind::kAwaitingAnswer) out.ice_state = "new";
  bool nominated = false;
  bool lost = session.silent;
  if (const ice::IceLiteAgent* const lite = session.path.lite()) {
    out.ice_role = "controlled";
    nominated = lite->is_nominated();
  } else if (const ice::IceControllingAgent* const agent = session.path.controlling()) {
    out.ice_role = agent->is_controlling() ? "controlling" : "controlled";
    nominated = agent->is_nominated();
    lost |= agent->is_closed();
  } else {
    return;
  }
  out.ice_state = nominated ? "completed" : session.path.selected() ? "connected" : "checking";
  if (lost) out.ice_state = "failed";
}

TransportStats describe_transport(const Session& session) {
  TransportStats out;
  out.packets_received = session.traffic.datagrams_received;
  out.bytes_received = session.traffic.bytes_received;
  out.packets_sent = session.traffic.control_datagrams_sent;
  out.bytes_sent = session.traffic.control_bytes_sent;
  out.dtls_state = dtls_state(session);
  out.dtls_role = "unknown";
  if (session.dtls) {
    out.dtls_role = session.dtls->role() == crypto::Role::kClient ? "client" : "server";
  }
  if (const auto* const keys = session.dtls ? session.dtls->record_keys() : nullptr) {
    out.dtls_cipher = crypto::cipher_name(keys->cipher_id());
    out.tls_version = "FEFD";
    // A record to each SCTP packet, and a datagram to each record.
    if (session.sctp) {
      const sctp::Stats& sent = session.sctp->association.stats();
      out.packets_sent += sent.packets_sent;
      out.bytes_sent += sent.bytes_sent + sent.packets_sent * keys->overhead();
    }
  }
  describe_ice(session, out);
  return out;
}

CandidateStats describe_candidate(const IpAddress& ip, std::uint16_t port,
                                  ice::CandidateType type) {
  return {.address = ip.to_string(),
          .port = port,
          .candidate_type = ice::kCandidateTypeNames[static_cast<std::size_t>(type)]};
}

std::optional<CandidatePairStats> describe_pair(const Session& session, const Address& local) {
  const ice::CandidatePair* const pair = session.path.selected();
  if (pair == nullptr) return std::nullopt;
  CandidatePairStats out;
  const bool known = pair->local.family != IpAddress::Family::kNone;
  out.local =
      describe_candidate(known ? pair->local : local.ip, local.port, ice::CandidateType::kHost);
  // RFC 8445 §7.3.1.3: a lite agent knows its peer by its checks alone.
  ice::CandidateType remote_type = ice::CandidateType::kPeerReflexive;
  bool lost = session.silent;
  if (const ice::IceLiteAgent* const lite = session.path.lite()) {
    out.nominated = lite->is_nominated();
    for (std::size_t i = 0; i < static_cast<std::size_t>(ice::CheckVerdict::kCount); ++i) {
      out.requests_received += lite->count(static_cast<ice::CheckVerdict>(i));
    }
    out.responses_sent = lite->count(ice::CheckVerdict::kAccepted);
  } else if (const ice::IceControllingAgent* const agent = session.path.controlling()) {
    const ice::IceControllingStats& stats = agent->stats();
    lost |= agent->is_closed();
    out.nominated = agent->is_nominated();
    remote_type = agent->remote_type();
    out.current_round_trip_time = agent->rtt();
    out.total_round_trip_time = agent->total_rtt();
    out.requests_sent = stats.checks_sent - stats.consent_sent;
    out.consent_requests_sent = stats.consent_sent;
    out.responses_received = stats.responses;
    out.requests_received = stats.requests_accepted + stats.requests_refused;
    out.responses_sent = stats.requests_accepted;
  }
  out.remote = describe_candidate(pair->remote.ip, pair->remote.port, remote_type);
  out.state = lost ? "failed" : "succeeded";
  return out;
}

SctpTransportStats describe_sctp(const sctp::Association& association) {
  const sctp::Metrics metrics = association.metrics();
  const sctp::Stats stats = association.stats();
  SctpTransportStats out;
  out.smoothed_round_trip_time = metrics.srtt;
  out.congestion_window = metrics.cwnd;
  out.receiver_window = metrics.peer_rwnd;
  out.mtu = metrics.mtu;
  out.unacked_data = metrics.unacknowledged;
  out.state = metrics.state;
  out.ssthresh = metrics.ssthresh;
  out.flight = metrics.flight;
  out.buffered = metrics.buffered;
  out.a_rwnd = metrics.a_rwnd;
  out.rto = metrics.rto;
  out.rttvar = metrics.rttvar;
  out.outgoing_streams = metrics.outgoing_streams;
  out.incoming_streams = metrics.incoming_streams;
  out.packets_sent = stats.packets_sent;
  out.packets_received = stats.packets_received;
  out.bytes_sent = stats.bytes_sent;
  out.bytes_received = stats.bytes_received;
  out.data_chunks_sent = stats.data_chunks_sent;
  out.data_chunks_received = stats.data_chunks_received;
  out.retransmitted_chunks = stats.retransmitted_chunks;
  out.fast_retransmits = stats.fast_retransmits;
  out.messages_abandoned_unsent = stats.messages_abandoned_unsent;
  out.messages_abandoned_sent = stats.messages_abandoned_sent;
  out.t3_expiries = stats.t3_expiries;
  out.heartbeats_sent = stats.heartbeats_sent;
  out.heartbeats_acked = stats.heartbeats_acked;
  out.mtu_probes_lost = stats.mtu_probes_lost;
  out.mtu_black_holes = stats.mtu_black_holes;
  out.mtu_hints = stats.mtu_hints;
  out.mtu_hints_ignored = stats.mtu_hints_ignored;
  out.restarts = stats.restarts;
  for (std::size_t i = 0; i < stats.drops.size(); ++i) {
    if (stats.drops[i] == 0) continue;
    out.drops.emplace_back(sctp::to_string(static_cast<sctp::DropReason>(i)), stats.drops[i]);
  }
  return out;
}

DataChannelStats describe_channel(const sctp::DataChannel& channel,
                                  const sctp::Association& association) {
  DataChannelStats out;
  out.key = std::uint64_t{channel.handle.generation} << 32 | channel.handle.slot;
  out.label = channel.label;
  out.protocol = channel.protocol;
  if (channel.has_stream) {
    out.data_channel_identifier = channel.stream.value();
    out.buffered_amount = association.buffered_amount(channel.stream);
    const sctp::AbandonedMessages abandoned = association.abandoned(channel.stream);
    out.messages_abandoned_unsent = abandoned.unsent;
    out.messages_abandoned_sent = abandoned.sent;
  }
  out.state = channel_state(channel.state);
  out.messages_sent = channel.messages_sent;
  out.bytes_sent = channel.bytes_sent;
  out.messages_received = channel.messages_received;
  out.bytes_received = channel.bytes_received;
  return out;
}

}  // namespace

SessionStats ShardCore::describe_session(const Session& session) const {
  SessionStats out;
  out.session = session.id;
  out.state = phase_name(session.phase);
  out.shard = index_;
  out.at = now_;
  out.transport = describe_transport(session);
  out.pair = describe_pair(session, sockets_.local_address(session.path.socket()));
  if (!session.sctp) return out;
  out.sctp = describe_sctp(session.sctp->association);
  session.sctp->channels.for_each([&](const sctp::DataChannel& channel) {
    out.channels.push_back(describe_channel(channel, session.sctp->association));
  });
  return out;
}

void ShardCore::session_stats(SessionId id, const SessionStatsDone& done) {
  if (const Session* const session = find(id)) return done(describe_session(*session));
  done(Failure(SignalError{SignalError::Kind::kUnknown, "no such session"}));
}

std::optional<std::uint32_t> ShardCore::list_sessions(std::uint32_t first, std::size_t limit,
                                                      std::vector<SessionSummary>& out) const {
  const std::size_t end = std::min(slots_.size(), first + kSlotsPerPage);
  for (std::size_t slot = first; slot < end; ++slot) {
    const Session* const session = slots_[slot].get();
    if (session == nullptr) continue;
    if (out.size() == limit) return static_cast<std::uint32_t>(slot);
    const TransportStats transport = describe_transport(*session);
    SessionSummary summary;
    summary.session = session->id;
    summary.state = phase_name(session->phase);
    summary.shard = index_;
    if (const auto* const pair = session->path.selected()) {
      summary.remote = pair->remote.to_string();
    }
    summary.channels = session->sctp ? session->sctp->channels.size() : 0;
    summary.bytes_sent = transport.bytes_sent;
    summary.bytes_received = transport.bytes_received;
    out.push_back(std::move(summary));
  }
  if (end == slots_.size()) return std::nullopt;
  return static_cast<std::uint32_t>(end);
}

}  // namespace millrace::engine
