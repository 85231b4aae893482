// SPDX-License-Identifier: Apache-2.0
#include "engine/http/stats_json.h"

#include <nlohmann/json.hpp>
#include <string_view>

#include "engine/http/hex_id.h"

namespace millrace::http {
namespace {

using Json = nlohmann::ordered_json;

double seconds_of(Duration duration) { return std::chrono::duration<double>(duration).count(); }

// Labels are the peer's: what is not UTF-8 is replaced, never thrown over.
std::string text_of(const Json& json) {
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

class Report {
 public:
  explicit Report(double unix_ms) : unix_ms_(unix_ms) {}

  Json& add(std::string id, const char* type) {
    Json& entry = list_.emplace_back();
    entry["id"] = std::move(id);
    entry["type"] = type;
    entry["timestamp"] = unix_ms_;
    return entry;
  }
  Json take() { return std::move(list_); }

 private:
  double unix_ms_;
  Json list_ = Json::array();
};

void set_text(Json& out, const char* name, std::string_view value) {
  if (!value.empty()) out[name] = value;
}

void add_transport(Report& report, const SessionStats& stats) {
  const TransportStats& from = stats.transport;
  Json& out = report.add("T", "transport");
  out["packetsSent"] = from.packets_sent;
  out["packetsReceived"] = from.packets_received;
  out["bytesSent"] = from.bytes_sent;
  out["bytesReceived"] = from.bytes_received;
  out["iceRole"] = from.ice_role;
  set_text(out, "iceState", from.ice_state);
  out["dtlsState"] = from.dtls_state;
  out["dtlsRole"] = from.dtls_role;
  set_text(out, "dtlsCipher", from.dtls_cipher);
  set_text(out, "tlsVersion", from.tls_version);
  if (stats.pair) out["selectedCandidatePairId"] = "P";
}

void add_candidate(Report& report, const char* id, const char* type, const CandidateStats& from) {
  Json& out = report.add(id, type);
  out["transportId"] = "T";
  out["address"] = from.address;
  out["port"] = from.port;
  out["protocol"] = "udp";
  out["candidateType"] = from.candidate_type;
}

void add_pair(Report& report, const SessionStats& stats) {
  const CandidatePairStats& from = *stats.pair;
  Json& out = report.add("P", "candidate-pair");
  out["transportId"] = "T";
  out["localCandidateId"] = "L";
  out["remoteCandidateId"] = "R";
  out["state"] = from.state;
  out["nominated"] = from.nominated;
  out["packetsSent"] = stats.transport.packets_sent;
  out["packetsReceived"] = stats.transport.packets_received;
  out["bytesSent"] = stats.transport.bytes_sent;
  out["bytesReceived"] = stats.transport.bytes_received;
  if (from.current_round_trip_time) {
    out["currentRoundTripTime"] = seconds_of(*from.current_round_trip_time);
  }
  out["totalRoundTripTime"] = seconds_of(from.total_round_trip_time);
  out["requestsSent"] = from.requests_sent;
  out["requestsReceived"] = from.requests_received;
  out["responsesSent"] = from.responses_sent;
  out["responsesReceived"] = from.responses_received;
  out["consentRequestsSent"] = from.consent_requests_sent;
  add_candidate(report, "L", "local-candidate", from.local);
  add_candidate(report, "R", "remote-candidate", from.remote);
}

void add_sctp(Report& report, const SctpTransportStats& from) {
  Json& out = report.add("S", "sctp-transport");
  out["transportId"] = "T";
  if (from.smoothed_round_trip_time) {
    out["smoothedRoundTripTime"] = seconds_of(*from.smoothed_round_trip_time);
  }
  out["congestionWindow"] = from.congestion_window;
  out["receiverWindow"] = from.receiver_window;
  out["mtu"] = from.mtu;
  out["unackData"] = from.unacked_data;
}

void add_channel(Report& report, const DataChannelStats& from) {
  Json& out = report.add("D" + hex_id(from.key), "data-channel");
  out["label"] = from.label;
  out["protocol"] = from.protocol;
  if (from.data_channel_identifier) out["dataChannelIdentifier"] = *from.data_channel_identifier;
  out["state"] = from.state;
  out["messagesSent"] = from.messages_sent;
  out["bytesSent"] = from.bytes_sent;
  out["messagesReceived"] = from.messages_received;
  out["bytesReceived"] = from.bytes_received;
  out["bufferedAmount"] = from.buffered_amount;
  out["messagesAbandonedUnsent"] = from.messages_abandoned_unsent;
  out["messagesAbandonedSent"] = from.messages_abandoned_sent;
}

Json association(const SctpTransportStats& from) {
  Json out;
  out["state"] = from.state;
  out["cwnd"] = from.congestion_window;
  out["ssthresh"] = from.ssthresh;
  out["flight"] = from.flight;
  out["buffered"] = from.buffered;
  out["peer_rwnd"] = from.receiver_window;
  out["a_rwnd"] = from.a_rwnd;
  out["mtu"] = from.mtu;
  if (from.smoothed_round_trip_time) out["srtt"] = seconds_of(*from.smoothed_round_trip_time);
  out["rttvar"] = seconds_of(from.rttvar);
  out["rto"] = seconds_of(from.rto);
  out["outgoing_streams"] = from.outgoing_streams;
  out["incoming_streams"] = from.incoming_streams;
  out["packets_sent"] = from.packets_sent;
  out["packets_received"] = from.packets_received;
  out["bytes_sent"] = from.bytes_sent;
  out["bytes_received"] = from.bytes_received;
  out["data_chunks_sent"] = from.data_chunks_sent;
  out["data_chunks_received"] = from.data_chunks_received;
  out["retransmitted_chunks"] = from.retransmitted_chunks;
  out["fast_retransmits"] = from.fast_retransmits;
  out["t3_expiries"] = from.t3_expiries;
  out["messages_abandoned_unsent"] = from.messages_abandoned_unsent;
  out["messages_abandoned_sent"] = from.messages_abandoned_sent;
  out["heartbeats_sent"] = from.heartbeats_sent;
  out["heartbeats_acked"] = from.heartbeats_acked;
  out["mtu_probes_lost"] = from.mtu_probes_lost;
  out["mtu_black_holes"] = from.mtu_black_holes;
  out["mtu_hints"] = from.mtu_hints;
  out["mtu_hints_ignored"] = from.mtu_hints_ignored;
  out["restarts"] = from.restarts;
  out["drops"] = Json::object();
  for (const auto& [reason, count] : from.drops) out["drops"][std::string(reason)] = count;
  return out;
}

}  // namespace

std::string session_stats_json(const SessionStats& stats, double unix_ms) {
  Report report(unix_ms);
  add_transport(report, stats);
  if (stats.pair) add_pair(report, stats);
  if (stats.sctp) add_sctp(report, *stats.sctp);
  for (const DataChannelStats& channel : stats.channels) add_channel(report, channel);
  Json out;
  out["session"] = hex_id(static_cast<std::uint64_t>(stats.session));
  out["state"] = stats.state;
  if (stats.shard) out["shard"] = *stats.shard;
  out["timestamp"] = unix_ms;
  out["stats"] = report.take();
  if (stats.sctp) out["association"] = association(*stats.sctp);
  return text_of(out);
}

std::string session_page_json(const SessionPage& page) {
  Json out;
  auto& sessions = out["sessions"] = Json::array();
  for (const SessionSummary& from : page.sessions) {
    Json each;
    each["session"] = hex_id(static_cast<std::uint64_t>(from.session));
    each["state"] = from.state;
    each["shard"] = from.shard;
    set_text(each, "remote", from.remote);
    each["channels"] = from.channels;
    each["bytes_sent"] = from.bytes_sent;
    each["bytes_received"] = from.bytes_received;
    sessions.push_back(std::move(each));
  }
  if (page.next) out["next"] = hex_id(static_cast<std::uint64_t>(*page.next));
  return text_of(out);
}

}  // namespace millrace::http
