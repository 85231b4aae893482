// SPDX-License-Identifier: Apache-2.0
//
// What the other figures are set in relation to: wall-clock time drifts from run to run, and
// its ratio to these, taken in the same run, does so less.
#include <cstring>
#include <vector>

#include "bench/micro/report.h"

namespace millrace::bench {
namespace {

// A copy between two buffers that stay in the cache.
void reference_memcpy(benchmark::State& state) {
  const auto bytes = static_cast<std::size_t>(state.range(0));
  const std::vector<std::uint8_t> from(bytes, 1);
  std::vector<std::uint8_t> to(bytes);
  measure(state, [&] {
    std::memcpy(to.data(), from.data(), bytes);
    benchmark::ClobberMemory();
    return 1u;
  });
}
BENCHMARK(reference_memcpy)->Name("Reference/memcpy")->Arg(64)->Arg(1200)->Arg(9000);

// Steps of a generator that each wait for the one before: nothing but the clock rate.
void reference_steps(benchmark::State& state) {
  std::uint64_t x = 88172645463325252u;
  measure(state, [&] {
    for (int i = 0; i < 100; ++i) x = x * 6364136223846793005u + 1442695040888963407u;
    benchmark::DoNotOptimize(x);
    return 100u;
  });
}
BENCHMARK(reference_steps)->Name("Reference/multiply");

}  // namespace
}  // namespace millrace::bench
