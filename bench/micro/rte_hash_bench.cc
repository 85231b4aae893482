// SPDX-License-Identifier: Apache-2.0
//
// The look-ups of table_bench.cc in DPDK's rte_hash. A program of its own: DPDK loads drivers
// that bring OpenSSL in, which cannot share a process with BoringSSL.
#include <benchmark/benchmark.h>
#include <rte_eal.h>
#include <rte_hash.h>

#include <array>
#include <string>
#include <vector>

#include "bench/micro/report.h"
#include "engine/base/check.h"
#include "engine/table/table_key.h"

namespace millrace::bench {
namespace {

constexpr std::uint32_t kSessions = 10'000;
constexpr std::size_t kBatch = 32;
constexpr SipKey kHashKey{1, 2};

engine::AddressKey key_of(std::uint32_t n) {
  const std::uint32_t mixed = n * 2654435761u;
  const auto byte = [mixed](int shift) { return static_cast<std::uint8_t>(mixed >> shift); };
  return engine::AddressKey({IpAddress::v4(10, byte(8), byte(16), byte(24)),
                             static_cast<std::uint16_t>(1024 + n % 60'000)});
}

std::uint32_t signature_of(const engine::AddressKey& key) {
  return static_cast<std::uint32_t>(key.hash(kHashKey));
}

void find(benchmark::State& state, bool present) {
  rte_hash_parameters parameters{};
  parameters.name = "sessions";
  parameters.entries = 32768;
  parameters.key_len = sizeof(engine::KeyWords);
  parameters.socket_id = -1;
  // Readers take no lock, as those of the association table.
  parameters.extra_flag = RTE_HASH_EXTRA_FLAGS_RW_CONCURRENCY_LF;
  rte_hash* const table = rte_hash_create(&parameters);
  CHECK(table != nullptr);
  std::vector<engine::AddressKey> keys;
  for (std::uint32_t n = 0; n < kSessions; ++n) {
    const engine::AddressKey key = key_of(n);
    CHECK(rte_hash_add_key_with_hash(table, key.words().data(), signature_of(key)) >= 0);
    keys.push_back(present ? key : key_of(n + 0x100'0000));
  }
  std::size_t at = 0;
  measure(state, [&] {
    std::uint64_t found = 0;
    for (std::size_t i = 0; i < kBatch; ++i) {
      const engine::AddressKey& key = keys[at];
      found +=
          rte_hash_lookup_with_hash(table, key.words().data(), signature_of(key)) >= 0 ? 1u : 0u;
      at = at + 1 == keys.size() ? 0 : at + 1;
    }
    CHECK(found == (present ? kBatch : 0));
    return kBatch;
  });
  rte_hash_free(table);
}
BENCHMARK_CAPTURE(find, hit, true)->Name("Table/rte_hash/hit");
BENCHMARK_CAPTURE(find, miss, false)->Name("Table/rte_hash/miss");

}  // namespace
}  // namespace millrace::bench

int main(int argc, char** argv) {
  std::array<std::string, 4> words{"millrace-micro-rte-hash", "--no-huge", "--no-pci",
                                   "--log-level=error"};
  std::array<char*, 4> eal{words[0].data(), words[1].data(), words[2].data(), words[3].data()};
  if (rte_eal_init(static_cast<int>(eal.size()), eal.data()) < 0) return 1;
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
