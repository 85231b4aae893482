// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <benchmark/benchmark.h>

#include <chrono>
#include <cstdint>

#include "bench/support/cost_meter.h"

namespace millrace::bench {

// report sets the figures that every benchmark here has: what `each` of `packets` packets (or
// other operations, as its name says), all iterations taken together, cost. Instructions are left
// out where the CPU's counter is not to be had; the head of the output says so.
inline void report(benchmark::State& state, const Cost& cost, std::uint64_t packets) {
  using benchmark::Counter;
  const auto n = static_cast<double>(packets);
  state.counters["each"] = Counter(n, Counter::kIsRate | Counter::kInvert);
  if (cost.instructions) state.counters["instr"] = static_cast<double>(*cost.instructions) / n;
  state.counters["allocs"] = static_cast<double>(cost.allocations) / n;
  state.counters["copied"] = static_cast<double>(cost.copied) / n;
}

// TimedPart measures a part of each iteration, for benchmarks that have to put things back
// in between: with `UseManualTime`, one `start` and one `stop` an iteration. The part should
// take microseconds, for reading the clock takes some 40 ns.
class TimedPart {
 public:
  explicit TimedPart(benchmark::State& state) : state_(state) {}

  void start() {
    meter_.start();
    begin_ = std::chrono::steady_clock::now();
  }
  void stop() {
    const auto end = std::chrono::steady_clock::now();
    meter_.stop();
    state_.SetIterationTime(std::chrono::duration<double>(end - begin_).count());
  }
  const Cost& cost() const { return meter_.cost(); }

 private:
  benchmark::State& state_;
  CostMeter meter_;
  std::chrono::steady_clock::time_point begin_;
};

// measure runs `operation`, which returns the packets that it worked on, in every iteration.
template <class Operation>
void measure(benchmark::State& state, Operation&& operation) {
  CostMeter meter;
  std::uint64_t packets = 0;
  meter.start();
  for (auto _ : state) packets += operation();
  meter.stop();
  report(state, meter.cost(), packets);
}

}  // namespace millrace::bench
