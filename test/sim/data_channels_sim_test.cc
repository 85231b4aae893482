// SPDX-License-Identifier: Apache-2.0
// Data channels that open, carry messages and close over a lossy, duplicating, reordering
// path in virtual time. Each seed is one run; MILLRACE_SIM_SEEDS sets how many,
// MILLRACE_SIM_SEED runs one alone.
#include <gtest/gtest.h>

#include <chrono>

#include "test/sim/channel_scenario.h"
#include "test/sim/sim_seeds.h"

namespace millrace::test {
namespace {

// Wall-clock watchdog of one seed; a run takes some milliseconds.
constexpr auto kSeedLimit = std::chrono::seconds(20);

TEST(DataChannelsSim, NothingReliableIsLostDuplicatedOrReordered) {
  const SimSeeds seeds = SimSeeds::from_environment(1000);
  for (std::uint64_t seed = seeds.first; seed <= seeds.last; ++seed) {
    SCOPED_TRACE("MILLRACE_SIM_SEED=" + std::to_string(seed));
    const auto start = std::chrono::steady_clock::now();
    ChannelScenario(seed).run();
    ASSERT_FALSE(HasFailure());
    ASSERT_LT(std::chrono::steady_clock::now() - start, kSeedLimit);
  }
}

TEST(DataChannelsSim, ARunIsAFunctionOfItsSeed) {
  std::uint64_t previous = 0;
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    ChannelScenario once(seed);
    once.run();
    ChannelScenario again(seed);
    again.run();
    ASSERT_EQ(once.trace_hash(), again.trace_hash()) << seed;
    ASSERT_NE(once.trace_hash(), previous) << "the hash says nothing";
    previous = once.trace_hash();
  }
}

// The runs would prove nothing if they did not do what they are named for.
TEST(DataChannelsSim, RunsOpenCloseAndUseIdsAgain) {
  ChannelScenario::Coverage all;
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    ChannelScenario scenario(seed);
    scenario.run();
    all += scenario.coverage();
  }
  EXPECT_GT(all.opened_in_band, 200u);
  EXPECT_GT(all.opened_negotiated, 50u);
  EXPECT_GT(all.closed_by_both, 10u);
  EXPECT_GT(all.ids_used_again, 100u);
  EXPECT_GT(all.retransmissions, 1000u);
  EXPECT_GT(all.given_up, 100u);
  for (const std::uint64_t messages : all.messages_by_mode) EXPECT_GT(messages, 500u);
}

}  // namespace
}  // namespace millrace::test
