// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <map>
#include <memory>

#include "engine/ice/ice_controlling_agent.h"
#include "engine/ice/ice_lite_agent.h"
#include "engine/ice/test_support.h"

namespace millrace::ice {
namespace {

const Address kClientAddress = address("10.0.0.5:7777");
const Address kServerAddress = address("192.0.2.1:1000");

// A network of two hosts in virtual time: fixed delay, random loss.
class Wire {
 public:
  Wire(std::uint64_t seed, double loss) : rng_(seed), loss_(loss) {}

  void send(Time now, bool to_server, const Bytes& bytes) {
    const double draw = static_cast<double>(rng_.below(1000000)) / 1e6;
    if (draw >= loss_ && !cut_) in_flight_.emplace(now + delay_, std::pair(to_server, bytes));
  }
  Time next() const { return in_flight_.empty() ? kNever : in_flight_.begin()->first; }
  std::pair<bool, Bytes> take() {
    auto datagram = std::move(in_flight_.begin()->second);
    in_flight_.erase(in_flight_.begin());
    return datagram;
  }
  void cut() { cut_ = true; }

 private:
  SeededRng rng_;
  double loss_;
  Duration delay_ = milliseconds(10);
  bool cut_ = false;
  std::multimap<Time, std::pair<bool, Bytes>> in_flight_;
};

IceControllingAgent::Setup setup(const Credentials& local, const Credentials& remote,
                                 const Address& from, const Address& to, bool lite) {
  return {.local = local,
          .remote = remote,
          .remote_is_lite = lite,
          .local_addresses = {from.ip},
          .remote_candidates = {make_host_candidate(to, 0)}};
}

void drain(IceControllingAgent& agent, Time now, Wire& wire, bool to_server) {
  CandidatePair path;
  for (;;) {
    Bytes out(kMaxStunBytes);
    out.resize(agent.poll_datagram(now, path, out));
    if (out.empty()) return;
    wire.send(now, to_server, out);
  }
}

struct LiteRun {
  Time now = kStart;
  SeededRng rng;
  Wire wire;
  IceControllingAgent client;
  IceLiteAgent server{kStart, kServer, kClient.ufrag, {}};

  LiteRun(std::uint64_t seed, double loss)
      : rng(seed),
        wire(seed + 1, loss),
        client(kStart, setup(kClient, kServer, kClientAddress, kServerAddress, true), {}, rng,
               kTestMac) {}

  void run_until(Time end) {
    for (;;) {
      client.handle_timeout(now);
      drain(client, now, wire, true);
      const Time next = std::min(client.next_timeout(), wire.next());
      if (next > end) break;
      now = std::max(now, next);
      while (wire.next() <= now) deliver();
    }
    now = end;
  }
  void deliver() {
    const auto [to_server, bytes] = wire.take();
    if (!to_server) return client.handle_datagram(now, {kServerAddress, kClientAddress.ip}, bytes);
    Bytes out(kMaxStunBytes);
    out.resize(
        server.handle_check(now, view(bytes), {kClientAddress, kServerAddress.ip}, kTestMac, out)
            .response_bytes);
    if (!out.empty()) wire.send(now, false, out);
  }
};

TEST(IceSimulation, CleanPathIsNominatedInOneRoundTrip) {
  LiteRun run(1, 0);
  run.run_until(kStart + milliseconds(20));
  EXPECT_TRUE(run.client.is_nominated());
  EXPECT_TRUE(run.server.is_nominated());
  EXPECT_EQ(*run.server.selected(), (CandidatePair{kClientAddress, kServerAddress.ip}));
  EXPECT_EQ(run.client.stats().checks_sent, 1u);
}

TEST(IceSimulation, TwentyPercentLossDelaysButDoesNotPrevent) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    LiteRun run(seed, 0.2);
    // All seven sends of a check are lost once in a thousand runs; none of these seeds.
    run.run_until(kStart + seconds(10));
    EXPECT_TRUE(run.client.is_nominated()) << "seed " << seed;
    EXPECT_TRUE(run.server.is_nominated()) << "seed " << seed;
    EXPECT_FALSE(run.server.expired(run.now)) << "seed " << seed;
  }
}

TEST(IceSimulation, QuietSessionLivesOnConsentForAnHour) {
  LiteRun run(7, 0);
  run.run_until(kStart + seconds(3600));
  EXPECT_FALSE(run.client.is_closed());
  EXPECT_FALSE(run.server.expired(run.now));
  EXPECT_EQ(run.client.stats().consent_sent, run.client.stats().consent_confirmed);
  EXPECT_GE(run.client.stats().consent_sent, 600u);
  EXPECT_LE(run.client.stats().consent_sent, 900u);
}

TEST(IceSimulation, BothEndsNoticeACutWithinThirtySecondsOfTheLastCheck) {
  LiteRun run(7, 0);
  run.run_until(kStart + seconds(60));
  ASSERT_TRUE(run.client.is_nominated());
  run.wire.cut();
  run.run_until(kStart + seconds(90) + milliseconds(20));
  EXPECT_TRUE(run.client.is_closed());
  EXPECT_TRUE(run.server.expired(run.now));
}

TEST(IceSimulation, SameSeedSameRun) {
  LiteRun first(11, 0.3);
  LiteRun second(11, 0.3);
  first.run_until(kStart + seconds(300));
  second.run_until(kStart + seconds(300));
  EXPECT_EQ(first.client.stats().checks_sent, second.client.stats().checks_sent);
  EXPECT_EQ(first.client.stats().retransmissions, second.client.stats().retransmissions);
  EXPECT_EQ(first.client.next_timeout(), second.client.next_timeout());
}

// RFC 8445 §7.3.1.1: two full agents that both begin as controlling. The second knows no
// candidate of the first and learns it from its checks.
TEST(IceSimulation, TwoControllingAgentsSettleTheirRoles) {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    SeededRng rng_a(seed);
    SeededRng rng_b(seed + 1000);
    Wire wire(seed, 0.1);
    IceControllingAgent a(kStart, setup(kClient, kServer, kClientAddress, kServerAddress, false),
                          {}, rng_a, kTestMac);
    IceControllingAgent::Setup blind =
        setup(kServer, kClient, kServerAddress, kClientAddress, false);
    if (seed % 2 == 0) blind.remote_candidates.clear();
    IceControllingAgent b(kStart, blind, {}, rng_b, kTestMac);
    Time now = kStart;
    while (now < kStart + seconds(20)) {
      a.handle_timeout(now);
      b.handle_timeout(now);
      drain(a, now, wire, true);
      drain(b, now, wire, false);
      now = std::max(now, std::min({a.next_timeout(), b.next_timeout(), wire.next()}));
      while (wire.next() <= now) {
        const auto [to_b, bytes] = wire.take();
        if (to_b) {
          b.handle_datagram(now, {kClientAddress, kServerAddress.ip}, bytes);
        } else {
          a.handle_datagram(now, {kServerAddress, kClientAddress.ip}, bytes);
        }
      }
    }
    EXPECT_TRUE(a.is_nominated()) << "seed " << seed;
    EXPECT_TRUE(b.is_nominated()) << "seed " << seed;
    EXPECT_NE(a.is_controlling(), b.is_controlling()) << "seed " << seed;
  }
}

}  // namespace
}  // namespace millrace::ice
