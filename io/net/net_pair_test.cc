// SPDX-License-Identifier: Apache-2.0
// Two layers on a wire.
#include <gtest/gtest.h>

#include <algorithm>

#include "io/net/net_test_support.h"

namespace millrace::io {
namespace {

using namespace test;

struct Case {
  std::string name;
  std::string a;
  std::string b;
  std::optional<std::uint16_t> vlan;
};

// A wire that loses, doubles and delays frames, and three hosts on it; virtual time.
class Wire {
 public:
  explicit Wire(std::uint64_t seed) : rng_(seed) {}
  void attach(NetHost& host) { hosts_.push_back(&host); }
  void set_loss(std::uint64_t percent) { loss_ = percent; }

  void run(Time& now, Duration span) {
    for (const Time end = now + span; now < end; now = std::min(end, next_event(now))) {
      for (NetHost* host : hosts_) {
        host->turn(now);
        for (Bytes& frame : std::exchange(host->out, {})) send(now, host, std::move(frame));
      }
      std::vector<Flight> due;
      std::erase_if(flights_, [&](Flight& one) {
        if (one.at > now) return false;
        due.push_back(std::move(one));
        return true;
      });
      for (const Flight& one : due) {
        for (NetHost* host : hosts_) {
          if (host != one.from) host->receive(now, one.frame);
        }
      }
    }
  }

 private:
  struct Flight {
    Time at;
    NetHost* from;
    Bytes frame;
  };

  // Whatever comes first: a frame's arrival, or a host's timer.
  Time next_event(Time now) const {
    Time next = kNever;
    for (const Flight& one : flights_) next = std::min(next, one.at);
    for (NetHost* host : hosts_) next = std::min(next, host->layer().next_timeout());
    for (NetHost* host : hosts_) next = host->out.empty() ? next : now;
    return std::max(next, now + microseconds(100));
  }

  void send(Time now, NetHost* from, Bytes frame) {
    for (std::uint64_t copies = rng_.below(20) == 0 ? 2 : 1; copies > 0; --copies) {
      if (rng_.below(100) < loss_) continue;
      flights_.push_back({now + milliseconds(rng_.below(4)), from, frame});
    }
  }

  SeededRng rng_;
  std::uint64_t loss_ = 0;
  std::vector<NetHost*> hosts_;
  std::vector<Flight> flights_;
};

class NetPair : public testing::TestWithParam<Case> {
 protected:
  static NetOptions options(unsigned n) {
    NetOptions options = host_options(n);
    options.vlan = GetParam().vlan;
    return options;
  }
};

TEST_P(NetPair, ResolvesAndExchangesDatagrams) {
  NetHost a(options(1));
  NetHost b(options(2));
  const Time now{seconds(5)};
  const Address from = at(GetParam().a);
  const Address to = at(GetParam().b);
  ASSERT_TRUE(a.send(now, from, to, text_bytes("hello"), 2));
  exchange(now, a, b);
  ASSERT_EQ(b.datagrams.size(), 1u);
  EXPECT_EQ(b.datagrams[0].source, from);
  EXPECT_EQ(b.datagrams[0].local, to);
  EXPECT_EQ(b.datagrams[0].tos, 2);
  EXPECT_EQ(b.datagrams[0].payload, text_bytes("hello"));
  ASSERT_TRUE(b.send(now, to, from, text_bytes("you too")));
  exchange(now, a, b);
  ASSERT_EQ(a.datagrams.size(), 1u);
  EXPECT_EQ(a.datagrams[0].payload, text_bytes("you too"));
  EXPECT_EQ(a.layer().stats().resolved, 1u);
  EXPECT_EQ(a.layer().stats().drops, decltype(NetStats::drops){});
  EXPECT_EQ(b.layer().stats().drops, decltype(NetStats::drops){});
}

TEST_P(NetPair, SurvivesLossDuplicationAndAge) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    Time now{seconds(5)};
    NetHost a(options(1), seed, now);
    NetHost b(options(2), seed + 100, now);
    NetHost bystander(options(3), seed + 200, now);
    Wire wire(seed);
    for (NetHost* host : {&a, &b, &bystander}) wire.attach(*host);
    wire.set_loss(20);
    std::size_t sent = 0;
    for (int second = 0; second < 240; ++second) {
      sent += a.send(now, at(GetParam().a), at(GetParam().b), text_bytes("to b"));
      b.send(now, at(GetParam().b), at(GetParam().a), text_bytes("to a"));
      wire.run(now, milliseconds(second % 60 == 59 ? 60'000 : 1000));
    }
    EXPECT_GT(sent, 200u) << seed;
    EXPECT_GT(b.datagrams.size(), 140u) << seed;
    EXPECT_GT(a.datagrams.size(), 140u) << seed;
    for (const NetHost::Datagram& one : b.datagrams) EXPECT_EQ(one.payload, text_bytes("to b"));
    EXPECT_TRUE(bystander.datagrams.empty());
    EXPECT_EQ(bystander.layer().neighbours(), 0u);
    // Many ages of an entry have passed, each with a question or a few.
    EXPECT_GT(a.layer().stats().resolved, 4u) << seed;
    EXPECT_LT(a.layer().stats().tx_solicitations, 120u) << seed;
    for (NetHost* host : {&a, &b}) {
      for (std::size_t i = 0; i < kNetDropCount; ++i) {
        const auto reason = static_cast<NetDrop>(i);
        const bool expected = reason == NetDrop::kTxUnreachable ||
                              reason == NetDrop::kTxParkedFull || reason == NetDrop::kRxNotOurMac ||
                              reason == NetDrop::kRxUnknownNeighbour;
        EXPECT_TRUE(expected || host->dropped(reason) == 0) << drop_name(reason) << " " << seed;
      }
    }
  }
}

TEST_P(NetPair, FindsAPeerThatComesBackWithAnotherCard) {
  const bool announced[] = {false, true};
  for (const bool announces : announced) {
    Time now{seconds(5)};
    NetHost a(options(1), 1, now);
    NetHost old(options(2), 2, now);
    const Address from = at(GetParam().a);
    const Address to = at(GetParam().b);
    a.send(now, from, to, text_bytes("one"));
    exchange(now, a, old);
    ASSERT_EQ(old.datagrams.size(), 1u);
    NetOptions changed = options(2);
    changed.addresses.push_back({link_local_of(changed.mac), 64});
    changed.mac.bytes[4] = 9;
    changed.announces = announces;
    now += seconds(2);
    NetHost fresh(changed, 3, now);
    fresh.turn(now);
    exchange(now, a, fresh);
    int lost = 0;
    while (fresh.datagrams.empty() && lost < 1000) {
      ++lost;
      now += milliseconds(100);
      a.send(now, from, to, text_bytes("two"));
      exchange(now, a, fresh);
    }
    // At once, or when the old address has been doubted and asked for in vain: 45 s and 7 s.
    EXPECT_LE(lost, announces ? 1 : 530);
    EXPECT_EQ(a.layer().neighbour_state(to.ip), NeighbourState::kReachable);
  }
}

TEST_P(NetPair, APeerThatDiesIsUnreachableUntilItIsBack) {
  Time now{seconds(5)};
  NetHost a(options(1), 1, now);
  NetHost b(options(2), 2, now);
  const Address from = at(GetParam().a);
  const Address to = at(GetParam().b);
  a.send(now, from, to, text_bytes("one"));
  exchange(now, a, b);
  for (int ms = 0; ms < 120'000; ms += 100) {
    now += milliseconds(100);
    a.send(now, from, to, text_bytes("lost"));
    a.turn(now);
    a.out.clear();
  }
  EXPECT_GT(a.dropped(NetDrop::kTxUnreachable), 100u);
  EXPECT_GT(a.layer().stats().resolve_failures, 3u);
  EXPECT_LE(a.layer().parked(), 8u);
  b.datagrams.clear();
  for (int ms = 0; ms < 13'000 && b.datagrams.empty(); ms += 100) {
    now += milliseconds(100);
    a.send(now, from, to, text_bytes("back"));
    a.turn(now);
    exchange(now, a, b);
  }
  EXPECT_FALSE(b.datagrams.empty());
}

// One address, two queues: what the first hears of a neighbour the second is told.
TEST_P(NetPair, LayersOfOneAddressShareWhatTheyHear) {
  const Time now{seconds(5)};
  NetHost first(options(1), 1, now);
  NetHost second(options(1), 2, now);
  NetHost peer(options(2), 3, now);
  const Address from = at(GetParam().a);
  const Address to = at(GetParam().b);
  second.send(now, from, to, text_bytes("hello"));
  ASSERT_EQ(second.out.size(), 1u);
  peer.receive(now, second.out[0]);
  second.out.clear();
  ASSERT_EQ(peer.out.size(), 1u);
  // The answer comes to the first queue, which has not asked.
  EXPECT_EQ(first.receive(now, peer.out[0]), RxVerdict::kDropped);
  ASSERT_TRUE(first.last.concerns_all);
  EXPECT_EQ(second.receive(now, peer.out[0], {.second_hand = true}), RxVerdict::kHandled);
  ASSERT_EQ(second.out.size(), 1u);
  EXPECT_EQ(peer.receive(now, second.out[0]), RxVerdict::kDatagram);
}

INSTANTIATE_TEST_SUITE_P(
    Families, NetPair,
    testing::Values(Case{"IPv4", "192.0.2.1:1000", "192.0.2.2:2000", {}},
                    Case{"IPv6", "[2001:db8::1]:1000", "[2001:db8::2]:2000", {}},
                    Case{"LinkLocal", "[fe80::ff:fe00:1]:1000", "[fe80::ff:fe00:2]:2000", {}},
                    Case{"IPv4Vlan", "192.0.2.1:1000", "192.0.2.2:2000", 7},
                    Case{"IPv6Vlan", "[2001:db8::1]:1000", "[2001:db8::2]:2000", 4094}),
    [](const auto& one) { return one.param.name; });

TEST(NetPairVlan, HostsOfTwoVlansNeverMeet) {
  NetOptions left = host_options(1);
  NetOptions right = host_options(2);
  left.vlan = 7;
  right.vlan = 8;
  Time now{seconds(5)};
  NetHost a(left, 1, now);
  NetHost b(right, 2, now);
  a.send(now, at("192.0.2.1:1000"), at("192.0.2.2:2000"), text_bytes("hello"));
  for (int i = 0; i < 10; ++i) {
    exchange(now, a, b);
    now += seconds(1);
    a.turn(now);
  }
  EXPECT_EQ(b.dropped(NetDrop::kRxVlan), 3u);
  EXPECT_TRUE(b.datagrams.empty());
  EXPECT_EQ(a.given_up, 1u);
}

}  // namespace
}  // namespace millrace::io
