// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "test/sim/inbox.h"
#include "test/sim/link.h"
#include "test/sim/network_run.h"
#include "test/sim/packet_slots.h"
#include "test/sim/report_writer.h"
#include "test/sim/scenario_file.h"

namespace millrace::sim {
namespace {

constexpr std::size_t kPacketBytes = 1250;  // 10 us at 1 Gbit/s.

LinkOptions gigabit() {
  LinkOptions link;
  link.bits_per_second = 1e9;
  link.queue_bytes = 10 * kPacketBytes;
  return link;
}

TEST(Link, SendsPacketsOneAfterTheOtherAtItsRate) {
  Link link(gigabit(), {}, 1);
  EXPECT_EQ(link.pass(kOrigin, kPacketBytes).departure, kOrigin + microseconds(10));
  EXPECT_EQ(link.pass(kOrigin, kPacketBytes).departure, kOrigin + microseconds(20));
  EXPECT_EQ(link.pass(kOrigin + seconds(1), kPacketBytes).departure,
            kOrigin + seconds(1) + microseconds(10));
}

TEST(Link, DropsWhatItsQueueCannotTake) {
  Link link(gigabit(), {}, 1);
  int passed = 0;
  for (int i = 0; i < 15; ++i) passed += link.pass(kOrigin, kPacketBytes).copies;
  EXPECT_EQ(passed, 10);
  EXPECT_EQ(link.stats().queue_drops, 5u);
  EXPECT_EQ(link.stats().max_queue_bytes, 10 * kPacketBytes);
  // One has left after 10 us, and there is room for one.
  EXPECT_EQ(link.pass(kOrigin + microseconds(10), kPacketBytes).copies, 1);
  EXPECT_EQ(link.pass(kOrigin + microseconds(10), kPacketBytes).copies, 0);
}

TEST(Link, LosesReordersAndDoublesTheSharesItIsTold) {
  LinkOptions options;
  options.loss = 0.1;
  options.reorder = 0.2;
  options.reorder_by = milliseconds(2);
  options.duplicate = 0.05;
  Link link(options, {}, 7);
  int late = 0;
  for (int i = 0; i < 100000; ++i) {
    const Link::Passage passage = link.pass(kOrigin, kPacketBytes);
    if (passage.copies == 0) continue;
    late += passage.late[0] > Duration::zero() ? 1 : 0;
    EXPECT_LE(passage.late[0], milliseconds(2));
  }
  EXPECT_NEAR(static_cast<double>(link.stats().lost), 10000, 400);
  EXPECT_NEAR(static_cast<double>(late), 18000, 600);
  EXPECT_NEAR(static_cast<double>(link.stats().duplicated), 4500, 300);
}

TEST(Link, LetsNothingThroughDuringAnOutage) {
  Link link(gigabit(), {{milliseconds(10), milliseconds(5)}}, 1);
  EXPECT_EQ(link.pass(kOrigin + milliseconds(9), kPacketBytes).copies, 1);
  EXPECT_EQ(link.pass(kOrigin + milliseconds(10), kPacketBytes).copies, 0);
  EXPECT_EQ(link.pass(kOrigin + milliseconds(14), kPacketBytes).copies, 0);
  EXPECT_EQ(link.pass(kOrigin + milliseconds(15), kPacketBytes).copies, 1);
  EXPECT_EQ(link.stats().outage_drops, 2u);
}

TEST(Link, SwallowsPacketsAboveTheMtu) {
  Link link(gigabit(), {}, 1);
  EXPECT_EQ(link.pass(kOrigin, 1500).copies, 1);
  EXPECT_EQ(link.pass(kOrigin, 1501).copies, 0);
  link.set_mtu(1400);
  EXPECT_EQ(link.pass(kOrigin, 1500).copies, 0);
  EXPECT_EQ(link.stats().mtu_drops, 2u);
}

// RFC 9260 §6.9: what was cut for a larger MTU is left to IP.
TEST(Link, PassesAPacketInFragmentsWhereAllOfThemPass) {
  LinkOptions options = gigabit();
  options.mtu_bytes = 620;
  Link link(options, {}, 1);
  // 1230 bytes behind the header: 600, 600 and 30, 20 more each.
  const Link::Passage passage = link.pass_in_fragments(kOrigin, 1250);
  EXPECT_EQ(passage.copies, 1);
  EXPECT_EQ(passage.departure, kOrigin + nanoseconds((1230 + 3 * 20) * 8));
  EXPECT_EQ(link.stats().offered, 3u);
  EXPECT_EQ(link.pass_in_fragments(kOrigin, 620).copies, 1);
  EXPECT_EQ(link.stats().offered, 4u);
  options.loss = 0.3;
  Link lossy(options, {}, 1);
  int passed = 0;
  for (int i = 0; i < 2000; ++i) {
    passed += lossy.pass_in_fragments(kOrigin + i * seconds(1), 1250).copies;
  }
  EXPECT_NEAR(passed, 686, 60) << "0.7 cubed";
}

TEST(Link, ANewRateMovesWhatHasNotDepartedYet) {
  Link link(gigabit(), {}, 1);
  PacketSlots slots;
  Inbox inbox;
  const Duration delay = milliseconds(1);
  for (int i = 0; i < 4; ++i) {
    inbox.push(link.pass(kOrigin, kPacketBytes).departure + delay, slots.take(), 1);
  }
  // After 20 us two packets have departed; the other two take twice as long from here on.
  const Time now = kOrigin + microseconds(20);
  inbox.rescale(now, link.set_rate(now, 0.5e9), delay);
  for (const int micros : {10, 20, 40, 60}) {
    EXPECT_EQ(inbox.pop().at, kOrigin + microseconds(micros) + delay);
  }
  EXPECT_EQ(link.pass(now, kPacketBytes).departure, kOrigin + microseconds(80));
}

TEST(Inbox, GivesLatePacketsInTheirTurn) {
  PacketSlots slots;
  Inbox inbox;
  const auto at = [](int micros) { return kOrigin + microseconds(micros); };
  inbox.push(at(1), slots.take(), 1);
  inbox.push_late(at(5), slots.take(), 2);
  inbox.push_late(at(2), slots.take(), 3);
  inbox.push(at(4), slots.take(), 4);
  for (const std::uint32_t bytes : {1u, 3u, 4u, 2u}) EXPECT_EQ(inbox.pop().bytes, bytes);
  EXPECT_EQ(inbox.next(), kNever);
  EXPECT_EQ(slots.in_use(), 0u);
}

TEST(PayloadShare, CountsEveryHeader) {
  // 1500 - 20 - 8 - 37 = 1435, cut to 1432, less 28: 1404 bytes of payload.
  EXPECT_DOUBLE_EQ(payload_share(1500), 1404.0 / 1500);
}

TEST(Formulas, AreThoseOfThePapers) {
  Scenario scenario;
  scenario.up.loss = 0.01;
  scenario.up.delay = scenario.down.delay = milliseconds(10);
  // 1,000 bytes * 8 / 20 ms * sqrt(3 / 2) / 0.1.
  EXPECT_NEAR(mathis_bps(scenario, 1000), 4.899e6, 1e3);
  EXPECT_EQ(response_bps(scenario, 1000), mathis_bps(scenario, 1000));
  // RFC 9438 §5.1 leaves the region of Reno behind: 1.054 * (0.2 / 1e-6)^0.75 segments.
  scenario.up.loss = 1e-6;
  scenario.up.delay = scenario.down.delay = milliseconds(100);
  EXPECT_NEAR(response_bps(scenario, 1000) / (8000 / 0.2), 9968, 20);
}

TEST(RunScenario, IsAFunctionOfItsSeed) {
  const ScenarioResult loaded = parse_scenario(
      "rate = \"50Mbit\"\nrtt = \"20ms\"\nloss = \"1%\"\nreorder = \"2%\"\nreorder_by = \"3ms\"\n"
      "duration = \"3s\"\nsample_every = \"100ms\"\nflows = 2\n",
      "here");
  ASSERT_TRUE(loaded.ok()) << loaded.error;
  const auto run = [&loaded](std::uint64_t seed) {
    return report_json(loaded.scenario, 0, run_scenario(loaded.scenario, seed), {});
  };
  const std::string once = run(1);
  EXPECT_EQ(once, run(1));
  EXPECT_NE(once, run(2));
}

TEST(RunScenario, APathWithoutLossDeliversEveryMessage) {
  const ScenarioResult loaded = parse_scenario(
      "rate = \"10Mbit\"\nrtt = \"20ms\"\nduration = \"2s\"\n[[traffic]]\nmessage = 500\n"
      "per_second = 100\ncount = 100\n[[traffic]]\nstream = 1\nmessage = 500\nper_second = 100\n"
      "count = 50\nfrom_server = true\n",
      "here");
  ASSERT_TRUE(loaded.ok()) << loaded.error;
  const RunReport report = run_scenario(loaded.scenario, 1);
  EXPECT_EQ(report.flows[0].traffic[0].delivered, 100u);
  EXPECT_EQ(report.flows[0].traffic[1].delivered, 50u);
  // 10 ms, the time on the wire and up to a turn of 250 us at either end.
  EXPECT_GE(report.flows[0].traffic[0].latency.percentile(50), 10'400'000u);
  EXPECT_LE(report.flows[0].traffic[0].latency.percentile(50), 10'950'000u);
}

// RFC 8260 §3: of two streams that both have more to send than the path carries, one with twice
// the weight.
TEST(RunScenario, TheSchedulerSharesThePathAmongStreams) {
  const auto share_of_first = [](const char* scheduler, const char* i_data) {
    const ScenarioResult loaded = parse_scenario(
        "rate = \"10Mbit\"\nrtt = \"20ms\"\nduration = \"10s\"\nsend_buffer = \"64MiB\"\n"
        "[[traffic]]\npriority = 512\n"
        "message = 20000\nper_second = 100\n"
        "[[traffic]]\nstream = 1\nmessage = 20000\nper_second = 100\n",
        "here", {{"scheduler", scheduler}, {"i_data", i_data}});
    EXPECT_TRUE(loaded.ok()) << loaded.error;
    const std::vector<TrafficReport> traffic = run_scenario(loaded.scenario, 1).flows[0].traffic;
    const auto first = static_cast<double>(traffic[0].delivered_bytes);
    return first / (first + static_cast<double>(traffic[1].delivered_bytes));
  };
  for (const char* const i_data : {"false", "true"}) {
    EXPECT_NEAR(share_of_first("fcfs", i_data), 0.5, 0.02);
    EXPECT_NEAR(share_of_first("rr", i_data), 0.5, 0.02);
    EXPECT_NEAR(share_of_first("wfq", i_data), 0.66, 0.03);
    EXPECT_GT(share_of_first("priority", i_data), 0.9);
  }
}

// RFC 8899: the interface carries 1500, the path less or more.
TEST(RunScenario, FindsTheMtuOfThePath) {
  for (const auto& [mtu, mss] :
       {std::pair(900, 784), std::pair(1500, 1404), std::pair(3000, 2904)}) {
    const ScenarioResult loaded =
        parse_scenario("rate = \"10Mbit\"\nrtt = \"20ms\"\nduration = \"12s\"\n", "here",
                       {{"mtu", std::to_string(mtu)}});
    ASSERT_TRUE(loaded.ok()) << loaded.error;
    const RunReport report = run_scenario(loaded.scenario, 1);
    EXPECT_NEAR(static_cast<double>(report.flows[0].mss_bytes), mss, mss / 16.0) << mtu;
    EXPECT_GE(report.share, 0.9) << mtu;
  }
}

// Two flows that are alike take turns in being first at the queue, however coarse the turns.
TEST(RunScenario, FavoursNoFlowForItsPlace) {
  const ScenarioResult loaded = parse_scenario(
      "rate = \"100Mbit\"\nrtt = \"20ms\"\nduration = \"60s\"\nmeasure_from = \"20s\"\n"
      "turn = \"1ms\"\nflows = 2\n",
      "here");
  ASSERT_TRUE(loaded.ok()) << loaded.error;
  for (const std::uint64_t seed : {1u, 2u}) {
    const RunReport report = run_scenario(loaded.scenario, seed);
    const double ratio = report.flows[0].goodput_bps / report.flows[1].goodput_bps;
    EXPECT_GE(ratio, 0.6) << seed;
    EXPECT_LE(ratio, 1 / 0.6) << seed;
  }
}

TEST(Judge, SaysWhichBoundIsBroken) {
  const ScenarioResult loaded = parse_scenario(
      "rate = \"10Mbit\"\nrtt = \"20ms\"\nduration = \"2s\"\n[bounds]\nmin_mbps = 11\n"
      "min_share = 0.5\n",
      "here");
  ASSERT_TRUE(loaded.ok()) << loaded.error;
  const auto broken = judge(loaded.scenario, 1, run_scenario(loaded.scenario, 1));
  ASSERT_EQ(broken.size(), 1u);
  EXPECT_TRUE(broken[0].starts_with("goodput in Mbit/s: ")) << broken[0];
}

TEST(ScenarioFile, NamesTheValueAtFault) {
  const std::pair<const char*, const char*> faults[] = {
      {"rtt = 20", "f:1: bad value '20' of 'rtt', expected a time with its unit, as \"20ms\""},
      {"\nloss = \"101%\"",
       "f:2: bad value '101%' of 'loss', expected a share from 0 to 1, or from \"0%\" to \"100%\""},
      {"rate = \"1Gbps\"",
       "f:1: bad value '1Gbps' of 'rate', expected a rate with its unit, as \"100Mbit\""},
      {"[[traffic]]\nmessage = 3",
       "f:2: bad value '3' of 'message', expected bytes from 16 to 1073741824"},
      {"duration = \"0s\"", "f:1: 'duration' is zero"},
      {"[bounds]\nmin_share = 0.5",
       "f:1: 'bounds.min_share' is a share of 'rate', which is not given"},
      {"profile = \"lan\"", "f:1: bad value 'lan' of 'profile', expected one of internet, latency"},
      {"scheduler = \"weighted\"",
       "f:1: bad value 'weighted' of 'scheduler', expected one of fcfs, rr, wfq, priority"},
      {"i_data = 1", "f:1: bad value of 'i_data', expected true or false"},
      {"[[traffic]]\npriority = 0",
       "f:2: bad value '0' of 'priority', expected a number from 1 to 65535"},
      {"flow = 3", "f:1: 'flow' is no list of tables, as [[flow]] makes one"},
  };
  for (const auto& [text, error] : faults) EXPECT_EQ(parse_scenario(text, "f").error, error);
  const std::string unknown = parse_scenario("bandwith = 3", "f").error;
  EXPECT_TRUE(unknown.starts_with("f:1: unknown key 'bandwith', expected one of")) << unknown;
}

TEST(ScenarioFile, OverridesTakePrecedence) {
  const ScenarioResult loaded = parse_scenario(
      "rate = \"1Gbit\"\n[down]\nloss = 0.5\n", "f",
      {{"rate", "2Gbit"}, {"queue", "0.5bdp"}, {"down.loss", "1%"}, {"controller", "newreno"}});
  ASSERT_TRUE(loaded.ok()) << loaded.error;
  EXPECT_EQ(loaded.scenario.up.bits_per_second, 2e9);
  EXPECT_EQ(loaded.scenario.down.loss, 0.01);
  EXPECT_EQ(loaded.scenario.flows[0].association.congestion, sctp::CongestionAlgorithm::kNewReno);
  // Half of 2 Gbit/s over 20 ms.
  EXPECT_EQ(loaded.scenario.up.queue_bytes, 2'500'000u);
}

// Wherever they stand in the file.
TEST(ScenarioFile, TimersBesideAProfileTakePrecedence) {
  const ScenarioResult loaded = parse_scenario(
      "rto_min = \"20ms\"\nprofile = \"latency\"\n[[flow]]\n[[flow]]\nprofile = \"internet\"\n",
      "f");
  ASSERT_TRUE(loaded.ok()) << loaded.error;
  sctp::Options latency;
  sctp::apply_profile(sctp::Profile::kLatency, latency);
  const sctp::Options& own = loaded.scenario.flows[0].association;
  EXPECT_EQ(own.rto_min, milliseconds(20));
  EXPECT_EQ(own.rto_initial, latency.rto_initial);
  EXPECT_EQ(own.sack_delay, latency.sack_delay);
  // A flow's own begins anew.
  EXPECT_EQ(loaded.scenario.flows[1].association.rto_min, sctp::Options{}.rto_min);
}

}  // namespace
}  // namespace millrace::sim
