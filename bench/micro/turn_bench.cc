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

// The last argument is what a message counts for; see kPacketsOf16k.
void turn(benchmark::State& state, Traffic traffic, std::uint64_t messages, std::uint64_t weight) {
  traffic.send_buffer_bytes = kEvenBuffer;
  SimPair pair(kBurstPath, traffic);
  CHECK(pair.run_messages(20 * messages));  // Pools and rings find their size.
  measure(state, [&] {
    const std::uint64_t before = pair.messages();
    CHECK(pair.run_messages(messages));
    return (pair.messages() - before) * weight;
  });
}
BENCHMARK_CAPTURE(turn, bulk, Traffic{}, 100, kPacketsOf16k)->Name("Turn/bulk_16k/packet");
BENCHMARK_CAPTURE(turn, unreliable, Traffic{.ordered = false, .max_retransmits = 0}, 100,
                  kPacketsOf16k)
    ->Name("Turn/unreliable_unordered_16k/packet");
BENCHMARK_CAPTURE(turn, small, Traffic{.message_bytes = 100}, 10'000, 1)
    ->Name("Turn/bulk_100/message");
BENCHMARK_CAPTURE(turn, echo, Traffic{.message_bytes = 100, .echoes = 1}, 100, 1)
    ->Name("Turn/echo_100/round_trip");
BENCHMARK_CAPTURE(turn, echoes, Traffic{.message_bytes = 100, .echoes = 64}, 1000, 1)
    ->Name("Turn/echo_100_64_under_way/round_trip");
// More sessions than the caches hold.
BENCHMARK_CAPTURE(turn, sessions, Traffic{.message_bytes = 100, .echoes = 1, .sessions = 1000},
                  2000, 1)
    ->Name("Turn/echo_100_over_1000_sessions/round_trip");

void association(benchmark::State& state, std::size_t bytes, std::uint64_t weight) {
  AssociationLink link;
  exchange_messages(link, bytes, 10'000 / weight);
  measure(state, [&] { return exchange_messages(link, bytes, 1500 / weight) * weight; });
}
BENCHMARK_CAPTURE(association, small, 100, 1)->Name("Association/bulk_100/message");
BENCHMARK_CAPTURE(association, whole, 1100, 1)->Name("Association/bulk_1100/message");
BENCHMARK_CAPTURE(association, bulk, 16384, kPacketsOf16k)->Name("Association/bulk_16k/packet");

}  // namespace
}  // namespace millrace::bench
