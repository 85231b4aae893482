// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "engine/base/histogram.h"
#include "sctp/association.h"
#include "test/sim/scenario.h"

namespace millrace::sim {

// TrafficReport is what became of one application's messages.
struct TrafficReport {
  std::uint64_t sent = 0;  // Taken by the association.
  std::uint64_t delivered = 0;
  std::uint64_t delivered_bytes = 0;  // From Scenario::measure_from on, parts included.
  std::uint64_t disorder = 0;         // Ordered messages that did not come next.
  Histogram latency;                  // One-way, of messages due from measure_from on.
};

// Traffic is one application: it says what is to be sent when, and measures what arrives.
class Traffic {
 public:
  Traffic(const TrafficOptions& options, Time start, Time measure_from)
      : options_(options), start_(start + options.start), measure_from_(measure_from) {}

  // When the next message is due; kNever when there is none.
  Time next_due() const;
  // Hands over one message that is due; false where the association takes none.
  bool send_one(Time now, sctp::Association& association);
  void receive(Time now, const sctp::MessageView& message);

  const TrafficOptions& options() const { return options_; }
  const TrafficReport& report() const { return report_; }
  // The last message due before `time` has arrived, or none was.
  bool caught_up_with(Time time) const { return newest_due_ >= time || last_due_before(time); }

 private:
  void write_header(std::uint8_t* bytes, Time due) const;
  bool last_due_before(Time time) const;
  Time due_of(std::uint64_t number) const;

  TrafficOptions options_;
  Time start_;
  Time measure_from_;
  std::uint64_t next_number_ = 0;
  std::uint64_t expected_ = 0;
  Time receiving_due_{};  // Of the message whose parts come in.
  Time newest_due_{};
  std::vector<std::uint8_t> payload_;
  TrafficReport report_;
};

}  // namespace millrace::sim
