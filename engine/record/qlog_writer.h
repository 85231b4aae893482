// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "engine/base/bytes.h"
#include "engine/base/time.h"
#include "sctp/metrics.h"
#include "sctp/types.h"

namespace millrace::engine {

// TraceInfo is what a trace says of itself.
struct TraceInfo {
  std::string title;               // "session 0123456789abcdef".
  std::string_view vantage;        // "client", "server" or "unknown".
  Time start{};                    // What event times are relative to,
  std::int64_t unix_start_ns = 0;  // and when that was.
};

// TraceSample is the state of an association after a turn.
struct TraceSample {
  sctp::Metrics metrics;
  std::uint64_t t3_expiries = 0;
  std::uint64_t fast_retransmits = 0;
  std::uint64_t drops = 0;
};

// QlogWriter writes the events of one association as JSON text sequences (RFC 7464), after
// the pattern of draft-ietf-quic-qlog-main-schema: a header record with the trace's common
// fields, then one record an event, with `time` in milliseconds since its start, `name` and
// `data`. Of a sample only what has changed is written.
//
//   sctp:packet_sent, sctp:packet_received   chunks, with TSNs, gap blocks and flags
//   sctp:association_state_updated           old, new
//   recovery:metrics_updated                 cwnd, ssthresh, bytes_in_flight, smoothed_rtt, …
//   recovery:loss_timer_updated              timer_type "t3", event_type "expired"
//   recovery:loss_detected                   trigger "fast_retransmit"
//   sctp:drops                               packets or chunks that were ignored
//   trace:events_lost                        the queue to the writer had no room
//   trace:ended                              reason
class QlogWriter {
 public:
  explicit QlogWriter(const TraceInfo& info) : info_(info) {}

  // Each appends whole records to `out`.
  void header(std::string& out) const;
  void packet(std::string& out, Time when, bool sent, ByteSpan packet);
  void sample(std::string& out, Time when, const TraceSample& sample);
  void lost(std::string& out, Time when, std::uint64_t count) const;
  void ended(std::string& out, Time when, std::string_view reason) const;

 private:
  TraceInfo info_;
  std::optional<TraceSample> last_;
  // The highest TSN sent: what is not above it is sent again.
  std::optional<sctp::Tsn> highest_sent_;
};

}  // namespace millrace::engine
