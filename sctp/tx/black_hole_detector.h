// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>

namespace millrace::sctp {

// BlackHoleDetector tells from the fate of data that the path does not carry packets above a
// certain size (RFC 8899 §4.3): they are lost, and lost again, and none gets through, whatever
// becomes of smaller ones. A lossy path lets some of them pass.
class BlackHoleDetector {
 public:
  // Watches packets above `bytes`; by default there are none.
  void watch_above(std::size_t bytes) {
    threshold_ = bytes;
    losses_ = 0;
    found_ = false;
  }
  std::size_t watched_above() const { return threshold_; }
  bool is_large(std::size_t packet_bytes) const { return packet_bytes > threshold_; }

  void on_large_acked() { losses_ = 0; }
  // T3-rtx expired with large packets in flight, or a retransmission in one was lost.
  void on_large_lost() {
    if (++losses_ >= kLosses) found_ = true;
  }
  // True once for each black hole found.
  bool take_found() { return std::exchange(found_, false); }

 private:
  // The second T3-rtx in a row comes three RTOs after the first loss.
  static constexpr std::uint32_t kLosses = 2;

  std::size_t threshold_ = std::numeric_limits<std::size_t>::max();
  std::uint32_t losses_ = 0;
  bool found_ = false;
};

}  // namespace millrace::sctp
