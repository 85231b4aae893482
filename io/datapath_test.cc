// SPDX-License-Identifier: Apache-2.0
//
// What every datapath does alike.
#include "io/datapath.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <set>

#include "io/allocation_count.h"
#include "io/datapath_fixture.h"
#include "io/monotonic_clock.h"
#ifdef MILLRACE_TEST_DPDK
#include "io/dpdk/dpdk_fixture.h"
#endif

namespace millrace::io {
namespace {

#ifdef MILLRACE_TEST_DPDK
using Pairs = ::testing::Types<RingDevices, MemifDevices>;
static_assert(Datapath<DpdkDatapath>);
#else
using Pairs = ::testing::Types<
#ifdef MILLRACE_IO_URING
    KernelPair<UringDatapath>, SlotPair<KernelPair<UringDatapath>>,
#endif
    KernelPair<SocketDatapath>, SlotPair<KernelPair<SocketDatapath>>, SimPair, SlotPair<SimPair>>;
#endif
TYPED_TEST_SUITE(DatapathTest, Pairs);

static_assert(Datapath<SocketDatapath> && Datapath<SimDatapath>);
static_assert(Datapath<SlotDatapath<SimDatapath>>);
#ifdef MILLRACE_IO_URING
static_assert(Datapath<UringDatapath>);
#endif

TYPED_TEST(DatapathTest, CarriesIpv4AndTellsSourceSocketAndLocalAddress) {
  const SocketId from = this->open(this->a(), ip("0.0.0.0"));
  const SocketId to = this->open(this->b(), this->pair_->v4());
  this->start();
  ASSERT_TRUE(this->send(this->a(), {from, this->b().local_address(to), {}}, 1200, {700}));
  this->a().flush();
  const auto got = this->receive(this->b(), 1);
  this->expect_patterns(got, {700});
  EXPECT_EQ(got[0].source.port, this->a().local_address(from).port);
  EXPECT_TRUE(got[0].source.ip.is_v4());
  EXPECT_EQ(got[0].local, this->pair_->v4());
  EXPECT_EQ(got[0].socket, to);
}

TYPED_TEST(DatapathTest, CarriesIpv6) {
  const SocketId from = this->open(this->a(), ip("::"));
  const SocketId to = this->open(this->b(), this->pair_->v6());
  this->start();
  ASSERT_TRUE(this->send(this->a(), {from, this->b().local_address(to), {}}, 1200, {1, 1200}));
  this->a().flush();
  const auto got = this->receive(this->b(), 2);
  this->expect_patterns(got, {1, 1200});
  EXPECT_TRUE(got[0].source.ip.is_v6());
}

TYPED_TEST(DatapathTest, Ipv6WildcardTakesIpv4AndShowsItAsIpv4BothWays) {
  const SocketId client = this->open(this->a(), ip("0.0.0.0"));
  const SocketId server = this->open(this->b(), ip("::"));
  this->start();
  const Address target = this->at(this->b(), server, this->pair_->v4());
  ASSERT_TRUE(this->send(this->a(), {client, target, {}}, 100, {100}));
  this->a().flush();
  const auto got = this->receive(this->b(), 1);
  this->expect_patterns(got, {100});
  EXPECT_TRUE(got[0].source.ip.is_v4());
  EXPECT_EQ(got[0].local, this->pair_->v4());
  ASSERT_TRUE(this->send(this->b(), {server, got[0].source, got[0].local}, 100, {60}));
  this->b().flush();
  const auto back = this->receive(this->a(), 1);
  this->expect_patterns(back, {60});
  EXPECT_EQ(back[0].source, target);
}

TYPED_TEST(DatapathTest, WildcardSocketAnswersFromTheAddressThatWasAsked) {
  const SocketId client = this->open(this->a(), ip("0.0.0.0"));
  const SocketId server = this->open(this->b(), ip("0.0.0.0"));
  this->start();
  const Address target = this->at(this->b(), server, this->pair_->other_v4());
  ASSERT_TRUE(this->send(this->a(), {client, target, {}}, 100, {10}));
  this->a().flush();
  const auto got = this->receive(this->b(), 1);
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(got[0].local, this->pair_->other_v4());
  ASSERT_TRUE(this->send(this->b(), {server, got[0].source, got[0].local}, 100, {10, 10, 5}));
  this->b().flush();
  const auto back = this->receive(this->a(), 3);
  ASSERT_EQ(back.size(), 3u);
  for (const Received& one : back) EXPECT_EQ(one.source, target);
}

TYPED_TEST(DatapathTest, RunKeepsItsDatagramsWhateverTheirLengths) {
  const SocketId from = this->open(this->a(), ip("0.0.0.0"));
  const SocketId to = this->open(this->b(), this->pair_->v4());
  this->start();
  const Destination where{from, this->b().local_address(to), {}};
  const std::vector<std::vector<std::size_t>> runs = {
      {1200, 1200, 1200, 1200},          // One send.
      {1200, 1200, 300},                 // Short last.
      {1200, 200, 1200, 1200, 7, 1200},  // Short in the middle.
      {800, 800, 800, 800, 800},         // All shorter than the pitch: gathered.
      {100, 200, 300, 400, 500},         // Each longer than the one before.
      {1},
      std::vector<std::size_t>(54, 1200),  // The longest at this pitch.
  };
  for (const auto& lengths : runs) {
    ASSERT_TRUE(this->send(this->a(), where, 1200, lengths, 17));
    this->a().flush();
    this->expect_patterns(this->receive(this->b(), lengths.size()), lengths, 17);
  }
}

TYPED_TEST(DatapathTest, LengthsMayBeCorrectedUntilCommitAndWhatIsNotPushedIsGivenBack) {
  const SocketId from = this->open(this->a(), ip("0.0.0.0"));
  const SocketId to = this->open(this->b(), this->pair_->v4());
  this->start();
  TxRun run = this->a().reserve({from, this->b().local_address(to), {}}, 600, 10);
  ASSERT_EQ(run.size(), 10u);
  for (int i = 0; i < 3; ++i) {
    std::fill(run.next().begin(), run.next().end(), std::uint8_t{5});
    run.push(100);
  }
  run.set_length(1, 116);
  run.pop();
  this->a().commit(run);
  EXPECT_TRUE(run.empty());
  this->a().flush();
  const auto got = this->receive(this->b(), 3);
  ASSERT_EQ(got.size(), 2u);
  EXPECT_EQ(got[0].bytes.size(), 100u);
  EXPECT_EQ(got[1].bytes.size(), 116u);
}

TYPED_TEST(DatapathTest, ManyRunsMayBeOpenAtOnce) {
  const SocketId from = this->open(this->a(), ip("0.0.0.0"));
  std::vector<SocketId> to;
  for (int i = 0; i < 40; ++i) to.push_back(this->open(this->b(), this->pair_->v4()));
  this->start();
  std::vector<TxRun> runs;
  for (const SocketId socket : to) {
    runs.push_back(this->a().reserve({from, this->b().local_address(socket), {}}, 500, 3));
    ASSERT_EQ(runs.back().size(), 3u);
  }
  for (std::size_t round = 0; round < 3; ++round) {
    for (std::size_t i = 0; i < runs.size(); ++i) {
      std::fill(runs[i].next().begin(), runs[i].next().end(), static_cast<std::uint8_t>(i));
      runs[i].push(500 - round);
    }
  }
  for (std::size_t i = runs.size(); i-- > 0;) this->a().commit(runs[i]);
  this->a().flush();
  const auto got = this->receive(this->b(), 120);
  ASSERT_EQ(got.size(), 120u);
  std::vector<int> seen(to.size());
  for (const Received& one : got) {
    const auto i =
        static_cast<std::size_t>(std::find(to.begin(), to.end(), one.socket) - to.begin());
    ASSERT_LT(i, to.size());
    EXPECT_EQ(one.bytes, std::vector<std::uint8_t>(one.bytes.size(), static_cast<std::uint8_t>(i)));
    ++seen[i];
  }
  EXPECT_EQ(seen, std::vector<int>(to.size(), 3));
}

TYPED_TEST(DatapathTest, BurstLargerThanTheSpanComesInPieces) {
  const SocketId from = this->open(this->a(), ip("0.0.0.0"));
  const SocketId to = this->open(this->b(), this->pair_->v4());
  this->start();
  const std::vector<std::size_t> lengths(50, 1000);
  ASSERT_TRUE(this->send(this->a(), {from, this->b().local_address(to), {}}, 1000, lengths));
  this->a().flush();
  this->expect_patterns(this->receive(this->b(), 50, 7), lengths);
}

TYPED_TEST(DatapathTest, HeldReferenceKeepsBytesUntilItIsDropped) {
  const SocketId from = this->open(this->a(), ip("0.0.0.0"));
  const SocketId to = this->open(this->b(), this->pair_->v4());
  this->start();
  const Destination where{from, this->b().local_address(to), {}};
  ASSERT_TRUE(this->send(this->a(), where, 1200, {1200}, 9));
  this->a().flush();
  RxView view[1];
  std::size_t n = 0;
  for (int i = 0; i < 100 && n == 0; ++i) {
    this->pair_->settle();
    n = this->b().rx_burst(view);
  }
  ASSERT_EQ(n, 1u);
  const RxView kept = view[0];
  BufferRef ref(kept.buffer);
  this->b().rx_done();
  for (int i = 0; i < 300; ++i) {
    ASSERT_TRUE(this->send(this->a(), where, 1200, {1200}, 77));
    this->a().flush();
    ASSERT_EQ(this->receive(this->b(), 1).size(), 1u);
  }
  EXPECT_EQ(std::vector<std::uint8_t>(kept.data, kept.data + kept.length), pattern(1200, 9));
}

TYPED_TEST(DatapathTest, ReceivingStopsWhenEveryBufferIsHeldAndGoesOnAfterwards) {
  this->pair_.reset();
  this->use({.rx_buffers = 4, .tx_chunks = 8});
  const SocketId from = this->open(this->a(), ip("0.0.0.0"));
  const SocketId other = this->open(this->a(), ip("0.0.0.0"));
  const SocketId to = this->open(this->b(), this->pair_->v4());
  this->start();
  // Two senders in turn, so that GRO has nothing to join.
  for (std::uint8_t i = 0; i < 40; ++i) {
    ASSERT_TRUE(this->send(this->a(), {i % 2 ? from : other, this->b().local_address(to), {}}, 64,
                           {64}, i));
    this->a().flush();
    this->pair_->settle();
  }
  std::vector<BufferRef> held;
  std::vector<RxView> views(16);
  for (int i = 0; i < 50; ++i) {
    this->pair_->settle();
    const std::size_t n = this->b().rx_burst(views);
    for (std::size_t k = 0; k < n; ++k) held.emplace_back(views[k].buffer);
    this->b().rx_done();
    this->b().flush();
  }
  EXPECT_GE(held.size(), 4u);
  EXPECT_LE(held.size(), 16u);  // Slots have four times as many.
  const std::size_t before = held.size();
  held.clear();
  EXPECT_EQ(this->receive(this->b(), 40 - before).size(), 40 - before);
}

TYPED_TEST(DatapathTest, ReserveRunsDryWithoutLossAndRecovers) {
  this->pair_.reset();
  this->use({.rx_buffers = 64, .tx_chunks = 4});
  const SocketId from = this->open(this->a(), ip("0.0.0.0"));
  const SocketId to = this->open(this->b(), this->pair_->v4());
  this->start();
  const Destination where{from, this->b().local_address(to), {}};
  for (int round = 0; round < 3; ++round) {
    std::vector<TxRun> runs;
    for (;;) {
      TxRun run = this->a().reserve(where, 1200, 54);
      if (run.empty()) break;
      ASSERT_LT(runs.size(), 64u);
      runs.push_back(std::move(run));
    }
    EXPECT_GE(runs.size(), 3u);
    EXPECT_GT(this->a().stats().reserve_short, 0u);
    std::size_t sent = 0;
    for (TxRun& run : runs) {
      std::fill(run.next().begin(), run.next().end(), std::uint8_t{1});
      run.push(1200);
      ++sent;
      this->a().commit(run);
    }
    this->a().flush();
    EXPECT_EQ(this->receive(this->b(), sent).size(), sent);
    std::vector<RxView> none(1);
    this->a().rx_burst(none);  // Takes the completions of the sends.
    TxRun again = this->a().reserve(where, 1200, 54);
    EXPECT_EQ(again.size(), 54u);
    this->a().commit(again);
  }
}

TYPED_TEST(DatapathTest, ReserveNeverGivesMoreThanOneSendCarries) {
  const SocketId from = this->open(this->a(), ip("0.0.0.0"));
  this->start();
  const Destination where{from, *Address::parse("127.0.0.1:9"), {}};
  for (const std::size_t bytes :
       {1ul, 1000ul, 1024ul, 1200ul, 9000ul, 40000ul, kMaxDatagramBytes}) {
    TxRun run = this->a().reserve(where, bytes, 1000);
    EXPECT_GE(run.size(), 1u);
    EXPECT_LE(run.size(), TxRun::kMaxSegments);
    EXPECT_LE(run.size() * bytes, kMaxDatagramBytes);
    this->a().commit(run);
  }
}

TYPED_TEST(DatapathTest, PortInUseIsOneLineWithTheAddress) {
  const SocketId first = this->open(this->b(), this->pair_->v4());
  const Address taken = this->b().local_address(first);
  const auto second = this->b().open_socket(taken, {});
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().message, "bind udp " + taken.to_string() + ": address already in use");
  EXPECT_EQ(second.error().code, EADDRINUSE);
  const auto foreign = this->b().open_socket({ip("192.0.2.77"), 5}, {});
  ASSERT_FALSE(foreign.ok());
  EXPECT_EQ(foreign.error().message, "bind udp 192.0.2.77:5: cannot assign requested address");
}

TYPED_TEST(DatapathTest, ClosedSocketFreesItsPortAtOnceAndItsIdFindsNothing) {
  const SocketId from = this->open(this->a(), ip("0.0.0.0"));
  const SocketId first = this->open(this->b(), this->pair_->v4());
  this->start();
  const Address address = this->b().local_address(first);
  ASSERT_TRUE(this->send(this->a(), {from, address, {}}, 100, {100}));
  this->a().flush();
  ASSERT_EQ(this->receive(this->b(), 1).size(), 1u);
  this->b().close_socket(first);
  EXPECT_EQ(this->b().local_address(first), Address{});
  const SocketId again = this->open(this->b(), address.ip, address.port);
  EXPECT_NE(again, first);
  EXPECT_TRUE(this->send(this->b(), {first, address, {}}, 100, {100, 100}));
  EXPECT_EQ(this->b().stats().dropped(IoDrop::kTxClosedSocket), 2u);
  this->b().close_socket(first);
  ASSERT_TRUE(this->send(this->a(), {from, address, {}}, 100, {50}));
  this->a().flush();
  const auto got = this->receive(this->b(), 1);
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(got[0].socket, again);
}

TYPED_TEST(DatapathTest, SocketMayBeClosedWithTrafficInFlight) {
  const SocketId from = this->open(this->a(), ip("0.0.0.0"));
  this->start();
  for (int round = 0; round < 50; ++round) {
    const SocketId to = this->open(this->b(), this->pair_->v4());
    const Destination where{from, this->b().local_address(to), {}};
    ASSERT_TRUE(this->send(this->a(), where, 1200, std::vector<std::size_t>(20, 1200)));
    this->a().flush();
    if (round % 2) this->pair_->settle();
    std::vector<RxView> views(3);
    this->b().rx_burst(views);
    ASSERT_TRUE(this->send(this->b(), {to, where.remote, {}}, 1200, {1200, 1200}));
    this->b().close_socket(to);
    this->receive(this->b(), 20);
  }
}

TYPED_TEST(DatapathTest, CarriesAThousandSockets) {
  ASSERT_GE(raise_file_limit(4096), 4096u);
  const SocketId server = this->open(this->b(), this->pair_->v4());
  std::vector<SocketId> clients;
  this->a().start();
  for (int i = 0; i < 1000; ++i)
    clients.push_back(
        this->open(this->a(), this->pair_->kKernel ? this->pair_->v4() : ip("10.0.0.1")));
  this->b().start();
  const Address to = this->b().local_address(server);
  std::set<std::uint16_t> ports;
  for (std::size_t i = 0; i < clients.size(); ++i) {
    ASSERT_TRUE(this->send(this->a(), {clients[i], to, {}}, 100, {100}));
    if (i % 50 != 49) continue;
    this->a().flush();
    // Echo each to where it came from.
    for (const Received& one : this->receive(this->b(), 50)) {
      ports.insert(one.source.port);
      ASSERT_TRUE(this->send(this->b(), {server, one.source, {}}, 100, {30}));
    }
    this->b().flush();
    std::vector<RxView> none(1);
    this->b().rx_burst(none);
    this->a().rx_burst({});
  }
  EXPECT_EQ(ports.size(), clients.size());
  std::set<SocketId> answered;
  for (const Received& one : this->receive(this->a(), clients.size())) answered.insert(one.socket);
  EXPECT_EQ(answered.size(), clients.size());
  for (const SocketId socket : clients) this->a().close_socket(socket);
}

TYPED_TEST(DatapathTest, WakeBeforeWaitIsNotLost) {
  this->start();
  const Waker waker = this->a().waker();
  for (int i = 0; i < 100; ++i) {
    waker.wake();
    const auto before = std::chrono::steady_clock::now();
    this->a().wait(monotonic_now() + seconds(10));
    EXPECT_LT(std::chrono::steady_clock::now() - before, seconds(5));
  }
}

TYPED_TEST(DatapathTest, SteadyStateAllocatesNothing) {
  const SocketId from = this->open(this->a(), ip("0.0.0.0"));
  const SocketId to = this->open(this->b(), this->pair_->v4());
  this->start();
  const Destination where{from, this->b().local_address(to), {}};
  std::vector<RxView> views(64);
  std::size_t got = 0;
  const auto turn = [&] {
    TxRun run = this->a().reserve(where, 1200, 20);
    while (!run.full()) run.push(1200);
    this->a().commit(run);
    this->a().flush();
    this->pair_->settle();
    this->a().rx_burst(views);
    got += this->b().rx_burst(views);
    this->b().rx_done();
    this->b().flush();
  };
  for (int i = 0; i < 200; ++i) turn();
  const std::uint64_t before = allocation_count();
  for (int i = 0; i < 200; ++i) turn();
  EXPECT_EQ(allocation_count(), before);
  EXPECT_GT(got, 300u * 20u);
}

TYPED_TEST(DatapathTest, DestinationOfAnotherFamilyIsACountedDrop) {
  const SocketId from = this->open(this->a(), ip("0.0.0.0"));
  this->start();
  ASSERT_TRUE(this->send(this->a(), {from, *Address::parse("[::1]:9"), {}}, 100, {100}));
  this->a().flush();
  EXPECT_EQ(this->a().stats().dropped(IoDrop::kTxWrongFamily), 1u);
}

}  // namespace
}  // namespace millrace::io
