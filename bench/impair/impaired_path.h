// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "engine/base/rng.h"
#include "engine/base/time.h"

namespace millrace::impair {

// Impairment is what a path does to datagrams. Shares are probabilities from 0 to 1.
struct Impairment {
  Duration delay{};
  double loss = 0;
  double reorder = 0;  // Held back by kHoldBack, so that others overtake.
  double duplicate = 0;
  double rate_mbps = 0;               // 0: as fast as it comes.
  std::size_t queue_bytes = 1 << 20;  // What waits for the rate; more is dropped at the tail.
  std::uint64_t seed = 1;
};

// PathCounts is what a path did since it was made. Every datagram that arrived is lost,
// overflowed, or accepted; duplicates are accepted besides.
struct PathCounts {
  std::uint64_t arrived = 0;
  std::uint64_t lost = 0;
  std::uint64_t overflowed = 0;
  std::uint64_t duplicated = 0;
  std::uint64_t reordered = 0;
  std::uint64_t delivered = 0;
  std::uint64_t delivered_bytes = 0;
};

// Parcel is a datagram on its way. The path knows nothing of its bytes.
struct Parcel {
  std::uint32_t flow = 0;
  std::uint32_t slot = 0;
  std::uint32_t bytes = 0;
};

// ImpairedPath is one direction of a network: rate and queue, then delay. It performs no
// I/O and reads no clock; a seed repeats it. `now` never goes back.
class ImpairedPath {
 public:
  static constexpr Duration kHoldBack = milliseconds(2);
  // Headers of IPv4 and UDP, which use the rate as well.
  static constexpr std::size_t kHeaderBytes = 28;
  // At most so many datagrams are on their way.
  static constexpr std::size_t kMaxParcels = 1u << 16;

  explicit ImpairedPath(const Impairment& impairment);

  // Takes a datagram in and returns how many copies of it will come out: 0, 1 or 2.
  unsigned push(Time now, const Parcel& parcel);
  // Takes the next datagram that is due out; false when there is none.
  bool poll(Time now, Parcel& out);
  // When the next is due; kNever when nothing is on its way.
  Time next_timeout() const;

  const PathCounts& counts() const { return counts_; }

 private:
  struct Due {
    Time at;
    std::uint64_t order;
    Parcel parcel;
  };
  static bool later(const Due& a, const Due& b) {
    return a.at != b.at ? a.at > b.at : a.order > b.order;
  }

  bool chance(double probability);
  // The time at which the link has sent `bytes`; kNever where the queue has no room.
  Time transmit(Time now, std::size_t bytes);
  bool held_back_first() const;

  const Impairment impairment_;
  SeededRng rng_;
  Time busy_until_{};
  std::uint64_t order_ = 0;
  std::deque<Due> line_;        // By time: what keeps its order.
  std::vector<Due> held_back_;  // A heap.
  PathCounts counts_;
};

}  // namespace millrace::impair
