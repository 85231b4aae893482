// SPDX-License-Identifier: Apache-2.0
#include "engine/record/qlog_writer.h"

#include <utility>

#include "engine/record/json_object.h"
#include "engine/record/qlog_chunks.h"
#include "sctp/packet/common_header.h"

namespace millrace::engine {
namespace {

constexpr char kRecordSeparator = '\x1e';  // RFC 7464 §2.2.

// Event writes a record around the members of its `data`.
class Event {
 public:
  Event(std::string& out, const TraceInfo& info, Time when, std::string_view name) : out_(out) {
    out_ += kRecordSeparator;
    out_ += '{';
    char time[48];
    std::snprintf(time, sizeof(time), "\"time\":%.6f,\"name\":\"",
                  static_cast<double>((when - info.start).count()) / 1e6);
    (out_ += time).append(name) += "\",\"data\":";
  }
  ~Event() { out_ += "}\n"; }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

 private:
  std::string& out_;
};

void append_changes(std::string& out, const sctp::Metrics& from, const sctp::Metrics& to) {
  JsonObject data(out);
  const auto size = [&](std::string_view name, std::size_t was, std::size_t is) {
    if (was != is) data.number(name, is);
  };
  const auto time = [&](std::string_view name, Duration was, Duration is) {
    if (was != is) data.millis(name, is.count());
  };
  time("smoothed_rtt", from.srtt.value_or(Duration()), to.srtt.value_or(Duration()));
  time("rtt_variance", from.rttvar, to.rttvar);
  time("rto", from.rto, to.rto);
  size("congestion_window", from.cwnd, to.cwnd);
  size("ssthresh", from.ssthresh, to.ssthresh);
  size("bytes_in_flight", from.flight, to.flight);
  size("peer_rwnd", from.peer_rwnd, to.peer_rwnd);
  size("a_rwnd", from.a_rwnd, to.a_rwnd);
  size("mtu", from.mtu, to.mtu);
  size("bytes_queued", from.buffered, to.buffered);
  size("chunks_unacknowledged", from.unacknowledged, to.unacknowledged);
}

}  // namespace

void QlogWriter::header(std::string& out) const {
  out += kRecordSeparator;
  {
    JsonObject file(out);
    file.text("qlog_version", "0.4");
    file.text("qlog_format", "JSON-SEQ");
    file.text("title", info_.title);
    file.member("trace");
    JsonObject trace(out);
    trace.member("event_schemas") += R"(["urn:millrace:qlog:events:sctp-1"])";
    trace.member("vantage_point");
    { JsonObject(out).text("type", info_.vantage); }
    trace.member("common_fields");
    JsonObject common(out);
    common.text("group_id", info_.title);
    common.member("protocol_types") += R"(["SCTP"])";
    common.text("time_format", "relative");
    common.millis("reference_time", info_.unix_start_ns);  // Since 1970.
  }
  out += '\n';
}

void QlogWriter::packet(std::string& out, Time when, bool sent, ByteSpan packet) {
  const Event event(out, info_, when, sent ? "sctp:packet_sent" : "sctp:packet_received");
  JsonObject data(out);
  data.number("length", packet.size());
  if (packet.size() < sctp::CommonHeader::kBytes) return;
  data.member("chunks") += '[';
  append_chunks(out, packet.subspan(sctp::CommonHeader::kBytes), sent ? &highest_sent_ : nullptr);
  out += ']';
}

void QlogWriter::sample(std::string& out, Time when, const TraceSample& sample) {
  const std::optional<TraceSample> before = std::exchange(last_, sample);
  const std::string_view old_state = before ? before->metrics.state : "";
  if (sample.metrics.state != old_state) {
    const Event event(out, info_, when, "sctp:association_state_updated");
    JsonObject data(out);
    if (before) data.text("old", old_state);
    data.text("new", sample.metrics.state);
  }
  const TraceSample& old = before ? *before : sample;
  if (sample.fast_retransmits != old.fast_retransmits) {
    const Event event(out, info_, when, "recovery:loss_detected");
    JsonObject(out).text("trigger", "fast_retransmit");
  }
  if (sample.t3_expiries != old.t3_expiries) {
    const Event event(out, info_, when, "recovery:loss_timer_updated");
    JsonObject data(out);
    data.text("timer_type", "t3");
    data.text("event_type", "expired");
    data.number("count", sample.t3_expiries - old.t3_expiries);
  }
  if (sample.drops != old.drops) {
    const Event event(out, info_, when, "sctp:drops");
    JsonObject(out).number("count", sample.drops - old.drops);
  }
  std::string members;
  append_changes(members, before ? before->metrics : sctp::Metrics(), sample.metrics);
  if (members == "{}") return;
  const Event event(out, info_, when, "recovery:metrics_updated");
  out += members;
}

void QlogWriter::lost(std::string& out, Time when, std::uint64_t count) const {
  const Event event(out, info_, when, "trace:events_lost");
  JsonObject(out).number("count", count);
}

void QlogWriter::ended(std::string& out, Time when, std::string_view reason) const {
  const Event event(out, info_, when, "trace:ended");
  JsonObject(out).text("reason", reason);
}

}  // namespace millrace::engine
