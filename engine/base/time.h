// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>

namespace millrace {

// MonotonicDomain names the time line of `Time`. It has no now(): only the shard
// (or a simulator) reads a clock, once a turn, and passes the value down.
struct MonotonicDomain {
  using duration = std::chrono::nanoseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<MonotonicDomain>;
  static constexpr bool is_steady = true;
};

// Duration is a span of time in nanoseconds.
using Duration = std::chrono::nanoseconds;

// Time is a point on a monotonic clock (CLOCK_MONOTONIC on real back ends, virtual
// in simulations). Values of two different clocks must not be mixed.
using Time = MonotonicDomain::time_point;

// kNever is what `next_timeout()` returns when no timer is armed.
inline constexpr Time kNever = Time::max();

// earliest returns the least of several times. (std::min of a list is a loop over an array.)
constexpr Time earliest(Time time) { return time; }
template <class... Others>
constexpr Time earliest(Time time, Time other, Others... others) {
  return earliest(time < other ? time : other, others...);
}

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

}  // namespace millrace
