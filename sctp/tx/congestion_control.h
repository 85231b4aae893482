// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>

#include "engine/base/time.h"
#include "sctp/congestion_algorithm.h"

namespace millrace::sctp {

// SentState is what was true when a transmission left: the anchor of a rate sample. Chunks of
// one flush share one. All counts are bytes since the association began, as `wire_bytes`.
struct SentState {
  Time sent_at{};
  Time first_sent_at{};  // Of the flight that it continues.
  Time delivered_at{};   // Last delivery before it left.
  std::uint64_t delivered = 0;
  std::uint64_t lost = 0;
  std::size_t in_flight = 0;  // The transmission included.
  bool app_limited = false;   // The application, not the window, set the rate.
};

// RateSample is the delivery rate over the round trip of the newest transmission that a SACK
// acknowledged (draft-ietf-ccwg-bbr §4.1).
struct RateSample {
  bool valid = false;
  bool app_limited = false;
  std::uint64_t prior_delivered = 0;  // SentState::delivered of that transmission.
  std::uint64_t delivered = 0;        // In the interval.
  std::uint64_t lost = 0;             // In the interval.
  std::size_t tx_in_flight = 0;       // SentState::in_flight of it.
  Duration interval = Duration::zero();

  // Bytes a second; 0 where there is no sample.
  std::uint64_t bytes_per_second() const {
    const auto nanos = interval.count();
    if (!valid || nanos <= 0) return 0;
    return static_cast<std::uint64_t>(static_cast<double>(delivered) * 1e9 /
                                      static_cast<double>(nanos));
  }
};

// AckSample is what one SACK has taught the sender.
struct AckSample {
  Time now{};
  std::size_t acked_bytes = 0;    // Newly acknowledged, cumulatively or by gap block.
  std::size_t acked_chunks = 0;   // The same in chunks.
  std::size_t flight_before = 0;  // In flight when the SACK came.
  std::size_t flight_after = 0;
  bool cumulative_advanced = false;
  bool in_recovery = false;          // In fast recovery when the SACK came.
  bool round_ended = false;          // What was in flight when the last round ended has arrived.
  Duration rtt = Duration::zero();   // Sample of this SACK; zero if it gave none.
  Duration srtt = Duration::zero();  // Smoothed; zero before the first sample.
  std::uint64_t delivered = 0;       // All that has ever been acknowledged, this included.
  std::uint64_t lost = 0;            // All that was ever found lost.
  std::size_t newly_lost = 0;        // What this SACK found lost.
  bool cwnd_limited = false;         // The window, not the application, held the sender back.
  RateSample rate{};

  // RFC 9260 §7.2.1: only a window that is used may grow. Bursts are paced, so a full
  // window is not in flight at every SACK: half of it counts (as in RFC 9002 §7.8).
  bool window_used(std::size_t cwnd) const { return 2 * flight_before >= cwnd; }
};

// CongestionControl decides how much may be in flight. All sizes are bytes of DATA
// chunks, headers and padding included. One object per association, owned by its
// DataSender, which alone calls it; it holds no queue and no timer.
class CongestionControl {
 public:
  static constexpr std::uint64_t kUnpaced = std::numeric_limits<std::uint64_t>::max();

  virtual ~CongestionControl() = default;

  virtual void on_sent(Time now, std::size_t bytes, std::size_t flight_after) = 0;
  virtual void on_ack(const AckSample& sample) = 0;
  // A loss was found, for the first time since the last call among what was sent after it:
  // once per round trip at most (RFC 9260 §7.2.4, RFC 9002 §7.3.2). `window_used`: it was cwnd that
  // bounded the flight, not an application with small messages.
  virtual void on_fast_recovery(Time now, bool window_used) = 0;
  // Each transmission found lost, in whatever state; before the `on_ack` of the SACK that
  // told of it, where one did.
  virtual void on_lost(Time /*now*/, std::size_t /*bytes*/, const SentState& /*sent*/) {}
  // All that was in flight when recovery began, or T3-rtx expired, is acknowledged; before the
  // `on_ack` of the SACK that told of it.
  virtual void on_recovery_end(Time /*now*/) {}
  // What recovery or a time-out took for lost had arrived, as duplicate TSNs have proved: the
  // reaction may be undone (RFC 3708, RFC 4015). Not called where anything truly was lost.
  virtual void on_spurious_loss(Time /*now*/) {}
  // T3-rtx expired (RFC 9260 §7.2.3).
  virtual void on_timeout(Time now) = 0;
  // Nothing was sent for `idle`, which is at least one `rto`.
  virtual void on_idle(Duration idle, Duration rto) = 0;
  // The largest packet changed (RFC 8899), which must not make for a larger window (§3, 7).
  virtual void set_mtu(std::size_t mtu_bytes) = 0;

  virtual std::size_t cwnd() const = 0;
  virtual std::size_t ssthresh() const = 0;
  // A controller that models the path bounds what is in flight by itself, in recovery too:
  // then neither ProportionalRate nor FlightBound applies.
  virtual bool bounds_flight_itself() const { return false; }
  // Whether `on_lost` and AckSample::rate are to bear what draft-ietf-ccwg-bbr §4.1 samples;
  // where not, SentState has `sent_at` alone. It must not change.
  virtual bool needs_rate_samples() const { return bounds_flight_itself(); }
  // What may leave at one instant, where the controller decides it; 0 leaves it to BurstLimiter.
  virtual std::size_t send_quantum() const { return 0; }
  // Bytes per second at which bursts are refilled, or kUnpaced.
  virtual std::uint64_t pacing_rate(Duration srtt) const = 0;

 protected:
  // What sends a window per round trip, and some more, so that pacing never is what limits:
  // twice that where the window doubles within the round trip, five quarters where not.
  static std::uint64_t window_rate(std::size_t cwnd, Duration srtt, bool doubling);
};

struct CongestionControlOptions {
  CongestionAlgorithm algorithm = CongestionAlgorithm::kCubic;
  std::size_t mtu_bytes = 1160;
  // RFC 9260 §7.2.1 allows min(4 MTU, max(2 MTU, 4404 bytes)); RFC 6928 has shown ten
  // packets to be safe for TCP and browsers send as many.
  std::size_t initial_window_packets = 10;
  std::size_t max_cwnd_bytes = std::size_t{64} << 20;
  std::uint64_t fixed_rate = 12'500'000;  // Bytes a second, of kFixedRate: 100 Mbit/s.
  // Of what is drawn by lot: BBR's waits between probes. Flows of a path should differ.
  std::uint64_t seed = 0;
};

// make_congestion_control returns the algorithm that `options` name. All count growth in
// bytes newly acknowledged; see engine/docs/decisions/0004-window-growth-per-byte.md.
std::unique_ptr<CongestionControl> make_congestion_control(const CongestionControlOptions& options);

// What a loss leaves of a window of `cwnd` at least: four packets (RFC 9260 §7.2.3); the initial
// window, whatever the path, where small messages do not use it (decision 0020).
inline std::size_t least_after_loss(bool window_used, std::size_t cwnd, std::size_t initial_packets,
                                    std::size_t mtu) {
  return std::max(4 * mtu, window_used ? 0 : std::min(cwnd, initial_packets * mtu));
}

}  // namespace millrace::sctp
