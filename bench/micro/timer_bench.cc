// SPDX-License-Identifier: Apache-2.0
#include "bench/micro/report.h"
#include "bench/micro/workloads.h"

namespace millrace::bench {
namespace {

constexpr std::size_t kTimers = 10'000;

void timer_rearm(benchmark::State& state) {
  TimerWork work(kTimers);
  measure(state, [&] { return work.rearm(1); });
}
BENCHMARK(timer_rearm)->Name("Timer/move_later");

void timer_arm(benchmark::State& state) {
  TimerWork work(kTimers);
  measure(state, [&] { return work.cancel_and_arm(1); });
}
BENCHMARK(timer_arm)->Name("Timer/cancel_and_arm");

void timer_expire(benchmark::State& state) {
  TimerWork work(kTimers);
  measure(state, [&] { return work.expire(1); });
}
BENCHMARK(timer_expire)->Name("Timer/expire_and_arm");

}  // namespace
}  // namespace millrace::bench
