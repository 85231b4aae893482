// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "engine/base/rx_buffer.h"
#include "test/sim/link.h"

namespace millrace::sim {

// Arrival is a packet on its way to an end.
struct Arrival {
  Time at = kNever;
  BufferRef buffer;
  std::uint32_t bytes = 0;
};

// Inbox holds what is under way to one end, in the order in which it will arrive: a ring of
// what keeps its order and a heap of the few that come late.
class Inbox {
 public:
  // `at` is not before that of any packet pushed in order before it.
  void push(Time at, BufferRef buffer, std::uint32_t bytes) {
    if (count_ == ring_.size()) grow();
    ring_[(first_ + count_++) & (ring_.size() - 1)] = {at, std::move(buffer), bytes};
  }
  void push_late(Time at, BufferRef buffer, std::uint32_t bytes) {
    late_.push_back({at, std::move(buffer), bytes});
    std::ranges::push_heap(late_, later);
  }
  Time next() const {
    const Time in_order = count_ == 0 ? kNever : ring_[first_].at;
    return late_.empty() ? in_order : std::min(in_order, late_.front().at);
  }
  // What arrives first; there must be something.
  Arrival pop() {
    const bool from_heap = count_ == 0 || (!late_.empty() && late_.front().at < ring_[first_].at);
    if (from_heap) {
      std::ranges::pop_heap(late_, later);
      Arrival arrival = std::move(late_.back());
      late_.pop_back();
      return arrival;
    }
    Arrival arrival = std::move(ring_[first_]);
    first_ = (first_ + 1) & (ring_.size() - 1);
    --count_;
    return arrival;
  }
  // The link's rate changed at `now`: what has not departed, `delay` before it arrives, does
  // so sooner or later than was said.
  void rescale(Time now, double factor, Duration delay) {
    for (std::size_t i = 0; i < count_; ++i) {
      Arrival& arrival = ring_[(first_ + i) & (ring_.size() - 1)];
      arrival.at = Link::rescale(arrival.at - delay, now, factor) + delay;
    }
  }

 private:
  static bool later(const Arrival& a, const Arrival& b) { return a.at > b.at; }
  void grow() {
    std::vector<Arrival> larger(std::max<std::size_t>(64, 2 * ring_.size()));
    for (std::size_t i = 0; i < count_; ++i) {
      larger[i] = std::move(ring_[(first_ + i) & (ring_.size() - 1)]);
    }
    ring_ = std::move(larger);
    first_ = 0;
  }

  std::vector<Arrival> ring_;  // A power of two.
  std::size_t first_ = 0;
  std::size_t count_ = 0;
  std::vector<Arrival> late_;
};

}  // namespace millrace::sim
