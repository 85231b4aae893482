// SPDX-License-Identifier: Apache-2.0
//
// Whole turns: two engines over the simulated network in one thread, so that a packet's cost
// is that of both ends and of the simulator; and two associations without crypto, datapath
// and shard.
#include "bench/micro/report.h"
#include "bench/micro/workloads.h"
#include "bench/support/sim_pair.h"
#include "engine/base/check.h"

namespace millrace::bench {
namespace {

void turn(benchmark::State& state, Traffic traffic, std::uint64_t messages) {
  traffic.send_buffer_bytes = kEvenBuffer;
  SimPair pair(kBurstPath, traffic);
  CHECK(pair.run_messages(20 * messages));  // Pools and rings find their size.
  measure(state, [&] {
    const std::uint64_t before = pair.datagrams();
    CHECK(pair.run_messages(messages));
    return pair.datagrams() - before;
  });
}
BENCHMARK_CAPTURE(turn, bulk, Traffic{}, 100)->Name("Turn/bulk_16k");
BENCHMARK_CAPTURE(turn, unreliable, Traffic{.ordered = false, .max_retransmits = 0}, 100)
    ->Name("Turn/unreliable_unordered_16k");
BENCHMARK_CAPTURE(turn, small, Traffic{.message_bytes = 100}, 10'000)->Name("Turn/bulk_100");
BENCHMARK_CAPTURE(turn, echo, Traffic{.message_bytes = 100, .echoes = 1}, 100)
    ->Name("Turn/echo_100");
BENCHMARK_CAPTURE(turn, echoes, Traffic{.message_bytes = 100, .echoes = 64}, 1000)
    ->Name("Turn/echo_100_64_under_way");

void association(benchmark::State& state) {
  AssociationLink link;
  const auto bytes = static_cast<std::size_t>(state.range(0));
  exchange_packets(link, bytes, 10'000);
  measure(state, [&] { return exchange_packets(link, bytes, 500); });
}
BENCHMARK(association)->Name("Association/message_bytes")->Arg(100)->Arg(1100)->Arg(16384);

}  // namespace
}  // namespace millrace::bench
