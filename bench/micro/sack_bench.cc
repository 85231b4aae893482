// SPDX-License-Identifier: Apache-2.0
//
// SACKs with 0 to 1,000 gaps: built by the receiving half, processed by the sending half.
#include <vector>

#include "bench/micro/report.h"
#include "bench/micro/workloads.h"
#include "bench/support/rx_memory.h"
#include "engine/base/check.h"
#include "sctp/rx/data_receiver.h"

namespace millrace::bench {
namespace {

void gaps(benchmark::internal::Benchmark* b) {
  for (const int n : {0, 1, 10, 100, 1000}) b->Arg(n);
}

// Into a packet that has room for them all, though on the wire a SACK has some 285 blocks.
void sack_build(benchmark::State& state) {
  const auto n = static_cast<std::uint32_t>(state.range(0));
  RxMemory memory;
  BlockPool pool;
  sctp::DataReceiverOptions options;
  options.peer_initial_tsn = sctp::Tsn(0);
  sctp::DataReceiver receiver(options, pool);
  const Time now{seconds(1)};
  const std::vector<std::uint8_t> payload(4, 1);
  for (std::uint32_t i = 0; i <= n; ++i) {
    const sctp::DataChunkView chunk{{sctp::Tsn(2 * i),
                                     sctp::StreamId(1),
                                     sctp::Ssn(static_cast<std::uint16_t>(i)),
                                     sctp::Ppid(53),
                                     {.beginning = true, .ending = true}},
                                    payload};
    CHECK(receiver.handle_data(now, chunk, memory.buffer()) == sctp::DataResult::kAccepted);
  }
  std::vector<std::uint8_t> packet(8192);
  measure(state, [&] {
    sctp::PacketWriter writer(packet, {});
    CHECK(receiver.append_sack(writer));
    benchmark::ClobberMemory();
    return 1u;
  });
}
BENCHMARK(sack_build)->Name("SackBuild/gaps")->Apply(gaps);

// The first SACK to tell of the gaps.
void sack_process_first(benchmark::State& state) {
  SackWork work(static_cast<std::size_t>(state.range(0)));
  TimedPart part(state);
  std::uint64_t processed = 0;
  for (auto _ : state) {
    work.prepare();
    part.start();
    work.process();
    part.stop();
    ++processed;
  }
  report(state, part.cost(), processed);
}
BENCHMARK(sack_process_first)->Name("SackProcess/new_gaps")->Apply(gaps)->UseManualTime();

// Those that follow and repeat them.
void sack_process(benchmark::State& state) {
  SackWork work(static_cast<std::size_t>(state.range(0)));
  work.run(2);  // Both lists of ranges, of which one is made from the other, find their room.
  measure(state, [&] { return work.run(1); });
}
BENCHMARK(sack_process)->Name("SackProcess/known_gaps")->Apply(gaps);

}  // namespace
}  // namespace millrace::bench
