// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "engine/base/time.h"

namespace millrace::sctp {

// FlightBound keeps what is in flight to what the path can use: twice what it has been seen
// to deliver within its shortest round trip, and never less than kFloorBytes. Control by loss
// alone fills every queue there is until one overflows, if need be the receiver's own socket;
// that costs latency, the processors' caches, and unreliable messages. It only ever takes
// away from the congestion window (decision 0005).
class FlightBound {
 public:
  // On paths with less delay than this takes to send, scheduling rules, not the path.
  static constexpr std::size_t kFloorBytes = std::size_t{1} << 20;

  // A peer's socket buffer of 208 KiB holds it; a window below this is for loss to set.
  static constexpr std::size_t kLeastCeilingBytes = std::size_t{64} << 10;

  std::size_t bytes() const { return std::min(bytes_, ceiling_); }

  // `flight_bytes` were under way when a loss was found that the window must answer.
  void on_loss(Time now, std::size_t flight_bytes) {
    if (std::min(older_rtt_, newer_rtt_) >= kNear) return;
    ceiling_ = std::max(kLeastCeilingBytes, flight_bytes / 8 * 7);
    ceiling_until_ = now + kCeilingMemory;
  }

  // It was none.
  void forget_loss() { ceiling_ = kNoCeiling; }

  // Call it for each SACK. `round_ended`: what was in flight when the last round ended has
  // arrived. `limited`: the sender had used its window up, so the round tells of the path and
  // not of the application.
  void on_ack(Time now, std::size_t acked_bytes, bool round_ended, bool limited,
              std::optional<Duration> rtt) {
    if (rtt) observe_rtt(now, *rtt);
    if (now >= ceiling_until_) ceiling_ = kNoCeiling;
    round_bytes_ += acked_bytes;
    if (!round_ended) return;
    if (now > round_began_) end_round(now, limited);
    round_bytes_ = 0;
    round_began_ = now;
  }

 private:
  // A route may become longer: the shortest round trip is that of the last 10 to 20 s.
  static constexpr Duration kRttMemory = seconds(10);
  // On a path so short what overflows is the receiver's socket, and it has not become larger
  // a moment later: the window would find that out again and again.
  static constexpr Duration kNear = milliseconds(5);
  static constexpr Duration kCeilingMemory = seconds(10);
  static constexpr std::size_t kNoCeiling = ~std::size_t{0};
  static constexpr int kRateMemory = 8;  // Rounds; so many to twice as many count.

  void observe_rtt(Time now, Duration rtt) {
    if (now - rtt_since_ >= kRttMemory) {
      older_rtt_ = newer_rtt_;
      newer_rtt_ = Duration::max();
      rtt_since_ = now;
    }
    newer_rtt_ = std::min(newer_rtt_, rtt);
  }

  void end_round(Time now, bool limited) {
    const double rate =
        static_cast<double>(round_bytes_) / static_cast<double>((now - round_began_).count());
    if (limited && ++rounds_ >= kRateMemory) {
      rounds_ = 0;
      older_rate_ = newer_rate_;
      newer_rate_ = 0;
    }
    newer_rate_ = std::max(newer_rate_, rate);
    const Duration rtt = std::min(older_rtt_, newer_rtt_);
    if (rtt == Duration::max()) return;
    const double delivered = std::max(older_rate_, newer_rate_) * static_cast<double>(rtt.count());
    // Above the largest window there is no bound to keep.
    constexpr double kMost = 1e12;
    bytes_ = std::max(kFloorBytes, static_cast<std::size_t>(std::min(2 * delivered, kMost)));
  }

  std::size_t bytes_ = kFloorBytes;
  std::size_t ceiling_ = kNoCeiling;
  Time ceiling_until_{};
  std::size_t round_bytes_ = 0;
  Time round_began_{};
  double newer_rate_ = 0;  // Bytes a nanosecond.
  double older_rate_ = 0;
  int rounds_ = 0;
  Time rtt_since_{};
  Duration newer_rtt_ = Duration::max();
  Duration older_rtt_ = Duration::max();
};

}  // namespace millrace::sctp
