// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <cstdlib>

namespace millrace::test {

// SimSeeds is the range of seeds that a simulation runs: 1 to MILLRACE_SIM_SEEDS, or
// MILLRACE_SIM_SEED alone.
struct SimSeeds {
  std::uint64_t first = 1;
  std::uint64_t last = 0;

  static SimSeeds from_environment(std::uint64_t count) {
    const std::uint64_t only = number("MILLRACE_SIM_SEED", 0);
    if (only != 0) return {only, only};
    return {1, number("MILLRACE_SIM_SEEDS", count)};
  }

 private:
  static std::uint64_t number(const char* name, std::uint64_t fallback) {
    const char* const text = std::getenv(name);
    return text == nullptr ? fallback : std::strtoull(text, nullptr, 10);
  }
};

}  // namespace millrace::test
