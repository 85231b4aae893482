// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <atomic>
#include <thread>

#include "bench/micro/report.h"
#include "engine/base/check.h"
#include "engine/base/mpsc_ring.h"
#include "engine/base/spsc_ring.h"

namespace millrace::bench {
namespace {

constexpr std::size_t kCapacity = 1024;
constexpr std::size_t kItems = 4096;  // To an iteration.

template <class Ring>
void ring_same_thread(benchmark::State& state) {
  Ring ring(kCapacity);
  std::uint64_t sum = 0;
  measure(state, [&] {
    for (std::uint64_t i = 0; i < kItems; ++i) {
      CHECK(ring.try_push(i));
      std::uint64_t out = 0;
      CHECK(ring.try_pop(out));
      sum += out;
    }
    return kItems;
  });
  benchmark::DoNotOptimize(sum);
}
BENCHMARK(ring_same_thread<SpscRing<std::uint64_t>>)->Name("Ring/spsc/one_thread");
BENCHMARK(ring_same_thread<MpscRing<std::uint64_t>>)->Name("Ring/mpsc/one_thread");

void ring_batches(benchmark::State& state) {
  SpscRing<std::uint64_t> ring(kCapacity);
  std::array<std::uint64_t, 32> values{};
  measure(state, [&] {
    for (std::size_t i = 0; i < kItems; i += values.size()) {
      CHECK(ring.push_batch(values) == values.size());
      CHECK(ring.pop_batch(values) == values.size());
    }
    return kItems;
  });
}
BENCHMARK(ring_batches)->Name("Ring/spsc/batch32");

// A second thread consumes; the figure is one value's way through, at full rate.
template <class Ring>
void ring_two_threads(benchmark::State& state) {
  Ring ring(kCapacity);
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> taken{0};
  std::jthread consumer([&] {
    std::uint64_t count = 0;
    while (!stop.load(std::memory_order_relaxed)) {
      count += ring.consume(64, [](std::uint64_t& value) { benchmark::DoNotOptimize(value); });
      taken.store(count, std::memory_order_release);
    }
  });
  std::uint64_t sent = 0;
  measure(state, [&] {
    for (std::uint64_t i = 0; i < kItems;) i += ring.try_push(i) ? 1u : 0u;
    sent += kItems;
    while (taken.load(std::memory_order_acquire) != sent) {
    }
    return kItems;
  });
  stop = true;
}
BENCHMARK(ring_two_threads<SpscRing<std::uint64_t>>)->Name("Ring/spsc/two_threads")->UseRealTime();
BENCHMARK(ring_two_threads<MpscRing<std::uint64_t>>)->Name("Ring/mpsc/two_threads")->UseRealTime();

}  // namespace
}  // namespace millrace::bench
