// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "engine/base/time.h"
#include "sctp/rx/receive_budget.h"

namespace millrace::sctp {

// ReceiveWindow sizes the window to what the application reads in a round trip (Dynamic
// Right-Sizing): it begins small, is a few times that once it is known, and goes back to
// where it began when the peer has gone quiet. A sender is then held up by the path or by
// the reader, and never by a constant.
class ReceiveWindow {
 public:
  // What is read in a round trip, that much again held while a loss is made good, and what
  // holding costs beyond the payload.
  static constexpr std::size_t kHeadroom = 3;
  // A sender that has just begun sends twice as much in each round trip as in the last.
  static constexpr std::size_t kHeadroomOfStart = 2 * kHeadroom;
  // Where the round trip is not known, because this end has sent nothing.
  static constexpr Duration kUnknownRoundTrip = milliseconds(100);
  // A busy host's turns are as long, however near the peer is.
  static constexpr Duration kMinRoundTrip = milliseconds(5);
  // The window is too large if it was for so long.
  static constexpr Duration kShrinkInterval = seconds(5);

  // Begins, and never falls below, `first_bytes`; what is above comes from `budget`, which
  // outlives it, or is free where that is null.
  ReceiveWindow(std::size_t first_bytes, std::size_t max_bytes, ReceiveBudget* budget)
      : bytes_(first_bytes), first_(first_bytes), max_(max_bytes), budget_(budget) {}
  ~ReceiveWindow();
  ReceiveWindow(const ReceiveWindow&) = delete;
  ReceiveWindow& operator=(const ReceiveWindow&) = delete;

  std::size_t bytes() const { return bytes_; }
  // End of a burst. `read` is what was read so far in all, at what holding it would cost.
  // True if the window has grown.
  bool observe(Time now, std::uint64_t read, std::optional<Duration> round_trip) {
    return now >= round_ends_ && end_round(now, read, round_trip);
  }
  // Shrinks a window that was too large since it was asked last, but not below `held`.
  void shrink(std::size_t held);
  bool has_grown() const { return bytes_ > first_; }
  // Nothing was read since `shrink` was called last.
  bool is_quiet() const { return peak_ == 0; }

 private:
  bool end_round(Time now, std::uint64_t read, std::optional<Duration> round_trip);

  std::size_t bytes_;
  std::size_t first_;
  std::size_t max_;
  ReceiveBudget* budget_;
  Time round_ends_{};
  Time round_began_{};
  std::uint64_t read_at_begin_ = 0;
  std::uint64_t last_ = 0;  // Read in a round trip: in the last one,
  std::uint64_t peak_ = 0;  // and the most since `shrink`.
};

}  // namespace millrace::sctp
