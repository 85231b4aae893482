// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/base/rng.h"
#include "test/sim/scenario.h"

namespace millrace::sim {

// LinkStats counts packets by their fate.
struct LinkStats {
  std::uint64_t offered = 0;
  std::uint64_t queue_drops = 0;
  std::uint64_t lost = 0;
  std::uint64_t outage_drops = 0;
  std::uint64_t mtu_drops = 0;
  std::uint64_t corrupted = 0;
  std::uint64_t reordered = 0;
  std::uint64_t duplicated = 0;
  std::size_t max_queue_bytes = 0;
};

// Link is one direction of the path: a bottleneck with a drop-tail queue, then the delay and
// what else may happen to a packet. It holds no packet: when one departs is known when it
// comes, and a change of the rate moves what has not departed yet, by `rescale`.
class Link {
 public:
  Link(const LinkOptions& options, const std::vector<Outage>& outages, std::uint64_t seed)
      : options_(options),
        outages_(outages),
        rng_(seed),
        bits_per_second_(options.bits_per_second) {}

  // What becomes of a packet: so many copies arrive, each after the link's delay and `late`.
  struct Passage {
    int copies = 0;
    bool corrupt = false;
    Time departure{};
    std::array<Duration, 2> late{};
  };
  Passage pass(Time now, std::size_t wire_bytes);
  // The same of a packet that IP may fragment: it arrives where all of its parts do.
  Passage pass_in_fragments(Time now, std::size_t wire_bytes);

  // How long a packet that came now would wait.
  Duration wait(Time now) const { return free_at_ > now ? free_at_ - now : Duration::zero(); }
  std::size_t queued_bytes(Time now) const;
  Duration delay() const { return options_.delay; }
  const LinkStats& stats() const { return stats_; }
  SeededRng& rng() { return rng_; }

  void set_mtu(std::size_t bytes) { options_.mtu_bytes = bytes; }
  // Returns by what factor the departures after `now` come later than was said.
  double set_rate(Time now, double bits_per_second);
  static Time rescale(Time departure, Time now, double factor);

 private:
  double draw() { return static_cast<double>(rng_.next() >> 11) * 0x1p-53; }
  bool happens(double share) { return share > 0 && draw() < share; }
  bool in_outage(Time at);

  LinkOptions options_;
  std::vector<Outage> outages_;  // In order; those that are over are skipped.
  std::size_t outage_ = 0;
  SeededRng rng_;
  double bits_per_second_;
  Time free_at_{};
  LinkStats stats_;
};

}  // namespace millrace::sim
