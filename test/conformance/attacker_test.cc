// SPDX-License-Identifier: Apache-2.0
// An attacker inside the association: any chunk, any field, any order. Time per packet and
// memory are bounded, nothing crashes, and what the association says stays well-formed.
#include <gtest/gtest.h>
#include <time.h>

#include <algorithm>

#include "bench/support/instruction_counter.h"
#include "engine/base/poison.h"
#include "io/allocation_count.h"
#include "test/sim/sim_seeds.h"
#include "test/support/siege.h"

namespace millrace::test {
namespace {

#ifdef MILLRACE_ASAN
constexpr std::uint64_t kSlowdown = 30;
#else
constexpr std::uint64_t kSlowdown = 1;
#endif
// A packet of 1,160 bytes can acknowledge 32,768 chunks or skip 65,535 TSNs; at the hundred
// instructions that each takes, unoptimised, no packet costs more than this.
constexpr std::uint64_t kMaxInstructions = 20'000'000 * kSlowdown;
constexpr std::uint64_t kMaxNanoseconds = 100'000'000 * kSlowdown;
// On the average it is a small multiple of a plain packet's, in either unit.
constexpr std::uint64_t kMaxMean = 100'000 * kSlowdown;

// Work counts what the packets cost: in instructions, or in nanoseconds of this thread's
// processor time where the processor does not count them, for which bounds are generous.
class Work {
 public:
  void operator()(bool begins) {
    if (begins) {
      begun_ = now();
      return;
    }
    const std::uint64_t cost = now() - begun_;
    most_ = std::max(most_, cost);
    total_ += cost;
    ++packets_;
  }
  std::uint64_t most() const { return most_; }
  std::uint64_t bound() const { return counter_.read() ? kMaxInstructions : kMaxNanoseconds; }
  std::uint64_t mean() const { return total_ / std::max<std::uint64_t>(packets_, 1); }

 private:
  std::uint64_t now() const {
    if (const auto instructions = counter_.read()) return *instructions;
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 +
           static_cast<std::uint64_t>(time.tv_nsec);
  }

  bench::InstructionCounter counter_;
  std::uint64_t begun_ = 0;
  std::uint64_t most_ = 0;
  std::uint64_t total_ = 0;
  std::uint64_t packets_ = 0;
};

// A receive buffer costs its record besides; the rings of the sender grow with what is
// outstanding; the rest is small.
constexpr std::int64_t kMaxHeapBytes = 12 << 20;

// Siege upon siege, for the rash ones are over soon.
void besiege(bool i_data, std::uint64_t seed, Work& work) {
  SCOPED_TRACE("seed " + std::to_string(seed));
  SeededRng rng(seed);
  const std::int64_t before = io::live_heap_bytes();
  std::int64_t most_bytes = 0;
  for (int steps = 0; steps < 1500;) {
    Attacker attacker(rng, rng.below(4) != 0);
    Siege siege(i_data, rng.next());
    siege.around_packet = [&](bool begins) { work(begins); };
    for (; steps < 1500 && !siege.association().is_closed(); ++steps) {
      take_step(siege, attacker, rng);
      most_bytes = std::max(most_bytes, io::live_heap_bytes() - before);
    }
    for (int i = 0; i < 5; ++i) siege.give(attacker.chunks(siege.knowledge()));  // Out of the blue.
    siege.set_reading(true);
    siege.advance(seconds(1));
  }
  EXPECT_LE(most_bytes, kMaxHeapBytes);
  EXPECT_EQ(io::live_heap_bytes(), before) << "all of it is given back";
}

void besiege_all(bool i_data) {
  Work work;
  const SimSeeds seeds = SimSeeds::from_environment(300);
  for (std::uint64_t seed = seeds.first; seed <= seeds.last; ++seed) besiege(i_data, seed, work);
  ::testing::Test::RecordProperty("most", std::to_string(work.most()));
  ::testing::Test::RecordProperty("mean", std::to_string(work.mean()));
  EXPECT_LE(work.most(), work.bound());
  EXPECT_LE(work.mean(), kMaxMean);
}

TEST(Attacker, CannotCostMuchTimeOrMemoryWithDataChunks) { besiege_all(false); }

// RFC 8260 §2.1.
TEST(Attacker, CannotCostMuchTimeOrMemoryWithIDataChunks) { besiege_all(true); }

}  // namespace
}  // namespace millrace::test
