// SPDX-License-Identifier: Apache-2.0
// Two ends on a network that does its worst, in virtual time. Each seed is one run;
// MILLRACE_SIM_SEEDS sets how many, MILLRACE_SIM_SEED runs one alone. `scripts/simulate
// --seeds N` runs them by the thousand.
#include <gtest/gtest.h>

#include <set>

#include "io/allocation_count.h"
#include "test/sim/hostile_options.h"
#include "test/sim/hostile_scenario.h"
#include "test/sim/sim_seeds.h"

namespace millrace::test {
namespace {

TEST(HostileSim, EachSeedEndsInAgreementOrAReasonedClose) {
  const SimSeeds seeds = SimSeeds::from_environment(500);
  for (std::uint64_t seed = seeds.first; seed <= seeds.last; ++seed) {
    HostileScenario scenario(seed);
    for (const std::string& fault : scenario.run()) {
      ADD_FAILURE() << "MILLRACE_SIM_SEED=" << seed << ": " << fault;
    }
    ASSERT_FALSE(HasFailure());
  }
}

TEST(HostileSim, ARunIsAFunctionOfItsSeed) {
  std::uint64_t previous = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    HostileScenario once(seed);
    once.run();
    HostileScenario again(seed);
    again.run();
    ASSERT_EQ(once.trace_hash(), again.trace_hash()) << seed;
    ASSERT_NE(once.trace_hash(), previous) << "the hash says nothing";
    previous = once.trace_hash();
  }
}

// The runs would prove nothing if they did not do what they are named for.
TEST(HostileSim, RunsDoTheirWorst) {
  HostileScenario::Coverage all;
  for (std::uint64_t seed = 1; seed <= 120; ++seed) {
    HostileScenario scenario(seed);
    scenario.run();
    all += scenario.coverage();
  }
  EXPECT_GT(all.messages, 5000u);
  EXPECT_GT(all.delivered, all.messages / 3);
  EXPECT_GT(all.restarts, 20u);
  EXPECT_GT(all.resets, 200u);
  EXPECT_GT(all.refused, 5u);
  EXPECT_GT(all.aborts, 5u);
  EXPECT_GT(all.early_shutdowns, 3u);
  EXPECT_GT(all.corrupt_dropped, 500u);
  EXPECT_GT(all.pauses, 50u);
  EXPECT_GT(all.full_windows, 3u);
  EXPECT_GT(all.path_changes, 30u);
  EXPECT_GT(all.path_changes_told, 50u);
  EXPECT_LT(all.path_changes_told, 2 * all.path_changes) << "of some nobody is told";
  EXPECT_GT(all.router_words, 5u);
  EXPECT_GT(all.given_up, 100u);
  EXPECT_GT(all.retransmissions, 2000u);
  EXPECT_GT(all.interleaved, 40u);
  EXPECT_LT(all.interleaved, 100u);
  EXPECT_GT(all.parts, 50u);
  EXPECT_GT(all.streamed, 50u);
  // Far from their bounds they would say nothing.
  EXPECT_GT(all.payload_share, 0.3);
  EXPECT_GT(all.heap_share, 0.3);
}

TEST(HostileSim, WhatARunHasOnTheHeapItGivesBack) {
  const std::int64_t before = io::live_heap_bytes();
  for (std::uint64_t seed = 1; seed <= 20; ++seed) HostileScenario(seed).run();
  EXPECT_EQ(io::live_heap_bytes(), before);
}

TEST(HostileSim, EveryTermOfAnEndIsDrawn) {
  SeededRng rng(1);
  sctp::ReceiveBudget budget(1);
  std::set<sctp::CongestionAlgorithm> algorithms;
  std::set<sctp::StreamScheduling> rules;
  std::set<bool> latency, i_data, forward_tsn, zero_checksum, both_zero, reconfig, pad, mtu, grows,
      budgeted, tiny;
  for (int i = 0; i < 200; ++i) {
    const auto ends = random_ends(rng, false, budget);
    both_zero.insert(ends[0].extensions.zero_checksum && ends[1].extensions.zero_checksum);
    for (const sctp::Options& options : ends) {
      algorithms.insert(options.congestion);
      rules.insert(options.scheduling);
      latency.insert(options.always_ask_for_sack);
      i_data.insert(options.extensions.i_data);
      forward_tsn.insert(options.extensions.forward_tsn);
      zero_checksum.insert(options.extensions.zero_checksum);
      reconfig.insert(options.extensions.reconfig);
      pad.insert(options.extensions.pad);
      mtu.insert(options.path_mtu.enabled);
      grows.insert(options.max_receive_window_bytes > options.receive_window_bytes);
      budgeted.insert(options.receive_budget != nullptr);
      tiny.insert(options.receive_window_bytes < 2048);
    }
    const auto with_sum = random_ends(rng, true, budget);
    EXPECT_FALSE(with_sum[0].extensions.zero_checksum && with_sum[1].extensions.zero_checksum);
  }
  EXPECT_EQ(algorithms.size(), sctp::kCongestionAlgorithms.size());
  EXPECT_EQ(rules.size(), 4u);
  for (const auto& drawn : {latency, i_data, forward_tsn, zero_checksum, both_zero, reconfig, pad,
                            mtu, grows, budgeted, tiny}) {
    EXPECT_EQ(drawn.size(), 2u);
  }
}

}  // namespace
}  // namespace millrace::test
