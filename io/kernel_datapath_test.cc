// SPDX-License-Identifier: Apache-2.0
//
// What takes real time, or shows how the kernel was used.
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <map>
#include <thread>
#include <vector>

#include "io/datapath_fixture.h"
#include "io/kernel_address.h"
#include "io/monotonic_clock.h"

namespace millrace::io {
namespace {

template <class Pair>
class KernelDatapathTest : public DatapathTest<Pair> {};
using KernelPairs = ::testing::Types<
#ifdef MILLRACE_IO_URING
    KernelPair<UringDatapath>, SlotPair<KernelPair<UringDatapath>>,
#endif
    KernelPair<SocketDatapath>, SlotPair<KernelPair<SocketDatapath>>>;
TYPED_TEST_SUITE(KernelDatapathTest, KernelPairs);

TYPED_TEST(KernelDatapathTest, WaitReturnsAtItsTimeoutAndNotBefore) {
  this->start();
  const auto begin = std::chrono::steady_clock::now();
  const auto passed = [&] { return std::chrono::steady_clock::now() - begin; };
  const auto end = begin.time_since_epoch() + milliseconds(30);
  // A return for nothing is allowed, now and then.
  int returns = 0;
  for (; passed() < milliseconds(30); ++returns) this->a().wait(Time(end));
  EXPECT_LE(returns, 5);
  this->a().wait(Time{});
  EXPECT_LT(passed(), seconds(5));
}

TYPED_TEST(KernelDatapathTest, WaitKeepsItsTimeWhateverEarlierOnesWereFor) {
  this->start();
  const auto sleep_for = [&](Duration length, int most_returns) {
    const Time begin = monotonic_now();
    int returns = 0;
    for (; monotonic_now() < begin + length; ++returns) {
      std::array<RxView, 1> none;  // A turn, of which the completions are a part.
      EXPECT_EQ(this->a().rx_burst(none), 0u);
      this->a().wait(begin + length);
    }
    EXPECT_LE(returns, most_returns);
    EXPECT_LT(monotonic_now() - begin, length + seconds(5));
  };
  // Each is ended by a wake, with its time still to come; then it is an earlier one's turn.
  for (int i = 0; i < 3; ++i) {
    for (const Duration other : {Duration(milliseconds(5)), Duration(seconds(60))}) {
      this->a().waker().wake();
      this->a().wait(monotonic_now() + other);
      this->a().wait(monotonic_now());
    }
    sleep_for(milliseconds(20), 10);
  }
}

TYPED_TEST(KernelDatapathTest, ALoneDatagramIsOneSystemCallAndStaysBehindTheOthers) {
  const SocketId from = this->open(this->a(), this->pair_->v4());
  const SocketId to = this->open(this->b(), this->pair_->v4());
  this->start();
  const Address target = this->b().local_address(to);
  this->a().flush();
  for (std::uint8_t i = 0; i < 20; ++i) {
    const std::uint64_t before = this->a().stats().syscalls;
    ASSERT_TRUE(this->send(this->a(), {from, target, {}}, 64, {std::size_t{10} + i}));
    this->a().flush();
    EXPECT_EQ(this->a().stats().syscalls, before + 1);
    // Several at a time, with other sizes, take the longer way in between.
    ASSERT_TRUE(this->send(this->a(), {from, target, {}}, 64, {40, 41, 40}));
    this->a().flush();
  }
  auto got = this->receive(this->b(), 81);  // As many as there are.
  std::erase_if(got,
                [&](const Received& one) { return one.source != this->a().local_address(from); });
  ASSERT_EQ(got.size(), 80u);
  for (std::size_t i = 0; i < 20; ++i) {
    EXPECT_EQ(got[4 * i].bytes.size(), 10 + i);
    EXPECT_EQ(got[4 * i + 1].bytes.size(), 40u);
    EXPECT_EQ(got[4 * i + 2].bytes.size(), 41u);
    EXPECT_EQ(got[4 * i + 3].bytes.size(), 40u);
  }
}

TYPED_TEST(KernelDatapathTest, SocketsClosedBeforeTheFirstSleepAreForgotten) {
  const SocketId from = this->open(this->a(), this->pair_->v4());
  this->start();
  for (int i = 0; i < 3; ++i) this->b().close_socket(this->open(this->b(), this->pair_->v4()));
  const SocketId to = this->open(this->b(), this->pair_->v4());
  this->b().close_socket(this->open(this->b(), this->pair_->v4()));
  ASSERT_TRUE(this->send(this->a(), {from, this->b().local_address(to), {}}, 100, {100}));
  this->a().flush();
  const Time before = monotonic_now();
  this->b().wait(before + seconds(10));
  EXPECT_LT(monotonic_now() - before, seconds(5));
  EXPECT_EQ(this->receive(this->b(), 1).size(), 1u);
}

TYPED_TEST(KernelDatapathTest, WaitEndsWhenADatagramArrives) {
  const SocketId from = this->open(this->a(), ip("0.0.0.0"));
  const SocketId to = this->open(this->b(), this->pair_->v4());
  this->start();
  ASSERT_TRUE(this->send(this->a(), {from, this->b().local_address(to), {}}, 100, {100}));
  this->a().flush();
  const auto before = std::chrono::steady_clock::now();
  this->b().wait(monotonic_now() + seconds(10));
  EXPECT_LT(std::chrono::steady_clock::now() - before, seconds(5));
  EXPECT_EQ(this->receive(this->b(), 1).size(), 1u);
}

TYPED_TEST(KernelDatapathTest, MoreReadableSocketsThanBuffersCostNoMoreEach) {
  constexpr std::size_t kSockets = 600;
  constexpr std::size_t kEach = 3;
  ASSERT_GE(raise_file_limit(2048), 2048u);
  this->pair_.reset();
  this->use({.rx_buffers = 8, .tx_chunks = 8});
  const SocketId sender = this->open(this->b(), this->pair_->v4());
  std::vector<SocketId> sockets;
  for (std::size_t i = 0; i < kSockets; ++i) {
    sockets.push_back(this->open(this->a(), this->pair_->v4()));
  }
  this->start();
  // In turn, so that GRO has nothing to join.
  for (std::size_t i = 0; i < kSockets * kEach; ++i) {
    const Address to = this->a().local_address(sockets[i % kSockets]);
    ASSERT_TRUE(this->send(this->b(), {sender, to, {}}, 64, {64}));
    this->b().flush();
    if (i % 32 == 31) this->receive(this->b(), 1, 1);  // Nothing; it takes the completions.
  }
  std::map<SocketId, std::size_t> got;
  std::vector<RxView> views(32);
  for (std::size_t total = 0, turns = 0; total < kSockets * kEach; ++turns) {
    ASSERT_LT(turns, kSockets * kEach * 4);
    const std::size_t n = this->a().rx_burst(views);
    for (std::size_t i = 0; i < n; ++i) {
      // The kernel gives a port to the next who asks while somebody still sends to the last.
      if (views[i].buffer->source != this->b().local_address(sender)) continue;
      ++got[views[i].buffer->socket];
      ++total;
    }
    this->a().rx_done();
    this->a().wait(monotonic_now() + milliseconds(1));
  }
  EXPECT_EQ(got.size(), kSockets);
  for (const auto& [socket, count] : got) EXPECT_EQ(count, kEach);
  // What was asked in vain is of the order of what came, not of its square.
  EXPECT_LE(this->a().stats().rx_starved, kSockets * kEach * 4);
}

TYPED_TEST(KernelDatapathTest, WaitEndsForAnyOfMoreSocketsThanThereAreBuffers) {
  constexpr std::size_t kSockets = 100;
  this->pair_.reset();
  this->use({.rx_buffers = 4, .tx_chunks = 8});
  const SocketId sender = this->open(this->b(), this->pair_->v4());
  std::vector<SocketId> sockets;
  for (std::size_t i = 0; i < kSockets; ++i) {
    sockets.push_back(this->open(this->a(), this->pair_->v4()));
  }
  this->start();
  const auto before = std::chrono::steady_clock::now();
  for (const SocketId socket : sockets) {
    this->a().wait(Time{});
    const Address to = this->a().local_address(socket);
    ASSERT_TRUE(this->send(this->b(), {sender, to, {}}, 64, {64}));
    this->b().flush();
    this->a().wait(monotonic_now() + seconds(10));
    ASSERT_EQ(this->receive(this->a(), 1).size(), 1u);
  }
  EXPECT_LT(std::chrono::steady_clock::now() - before, seconds(10));
}

TYPED_TEST(KernelDatapathTest, WakeFromAnotherThreadEndsEveryWait) {
  this->start();
  constexpr int kPosts = 2000;
  std::atomic<int> posted{0};
  std::thread poster([&, waker = this->a().waker()] {
    for (int i = 1; i <= kPosts; ++i) {
      posted.store(i, std::memory_order_release);
      waker.wake();
      if (i % 64 == 0) std::this_thread::sleep_for(microseconds(300));
    }
  });
  const auto begin = std::chrono::steady_clock::now();
  while (posted.load(std::memory_order_acquire) < kPosts)
    this->a().wait(monotonic_now() + seconds(20));
  // A lost wake would have cost 20 s.
  EXPECT_LT(std::chrono::steady_clock::now() - begin, seconds(15));
  poster.join();
}

TYPED_TEST(KernelDatapathTest, EqualLengthsLeaveInOneSendAndArriveInOneBuffer) {
  const SocketId from = this->open(this->a(), ip("0.0.0.0"));
  const SocketId to = this->open(this->b(), this->pair_->v4());
  this->start();
  const Destination where{from, this->b().local_address(to), {}};
  const auto sends_of = [&](const std::vector<std::size_t>& lengths) {
    const std::uint64_t before = this->a().stats().tx_sends;
    const std::uint64_t buffers = this->b().stats().rx_buffers;
    EXPECT_TRUE(this->send(this->a(), where, 1200, lengths));
    this->a().flush();
    this->expect_patterns(this->receive(this->b(), lengths.size()), lengths);
    this->receive(this->a(), 1);
    EXPECT_EQ(this->b().stats().rx_buffers - buffers, this->a().stats().tx_sends - before);
    return this->a().stats().tx_sends - before;
  };
  EXPECT_EQ(sends_of(std::vector<std::size_t>(54, 1200)), 1u);
  EXPECT_EQ(sends_of({1200, 1200, 1200, 7}), 1u);
  EXPECT_EQ(sends_of({800, 800, 800, 800, 33}), 1u);
  EXPECT_EQ(sends_of({1200, 300, 1200, 1200, 1200, 5, 5}), 3u);
}

TYPED_TEST(KernelDatapathTest, WithoutGsoAndGroEveryDatagramGoesAlone) {
  this->pair_.reset();
  this->use({.gso = false, .gro = false});
  const SocketId from = this->open(this->a(), ip("0.0.0.0"));
  const SocketId to = this->open(this->b(), this->pair_->v4());
  this->start();
  const std::vector<std::size_t> lengths(40, 1200);
  ASSERT_TRUE(this->send(this->a(), {from, this->b().local_address(to), {}}, 1200, lengths));
  this->a().flush();
  this->expect_patterns(this->receive(this->b(), 40), lengths);
  this->receive(this->a(), 1);
  EXPECT_EQ(this->a().stats().tx_gso_sends, 0u);
  EXPECT_EQ(this->a().stats().tx_sends, 40u);
  EXPECT_EQ(this->b().stats().rx_buffers, 40u);
}

TYPED_TEST(KernelDatapathTest, OverflowOfTheSocketsQueueIsCounted) {
  const SocketId from = this->open(this->a(), ip("0.0.0.0"));
  const auto to = this->b().open_socket({this->pair_->v4(), 0}, {.receive_buffer_bytes = 4096});
  ASSERT_TRUE(to.ok());
  // Not started: b leaves everything in the socket's queue.
  this->a().start();
  const Destination where{from, this->b().local_address(to.value()), {}};
  std::size_t sent = 0;
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(this->send(this->a(), where, 1200, {1200}));
    this->a().flush();
    std::vector<RxView> none(1);
    this->a().rx_burst(none);
    ++sent;
  }
  this->b().start();
  std::size_t got = this->receive(this->b(), sent).size();
  // The count rides on the next datagram that fits.
  ASSERT_TRUE(this->send(this->a(), where, 1200, {1200}));
  this->a().flush();
  got += this->receive(this->b(), 1).size();
  EXPECT_LT(got, sent);
  EXPECT_EQ(this->b().stats().dropped(IoDrop::kRxKernelQueue), sent + 1 - got);
}

TYPED_TEST(KernelDatapathTest, RefusedDestinationIsCountedAndTheRestGoesOn) {
  const SocketId from = this->open(this->a(), ip("0.0.0.0"));
  this->start();
  // A broadcast needs SO_BROADCAST; a closed port only makes noise.
  ASSERT_TRUE(this->send(this->a(), {from, *Address::parse("255.255.255.255:9"), {}}, 100, {9, 9}));
  ASSERT_TRUE(this->send(this->a(), {from, *Address::parse("127.0.0.1:9"), {}}, 100, {9}));
  this->a().flush();
  this->receive(this->a(), 1);
  EXPECT_EQ(this->a().stats().dropped(IoDrop::kTxNotPermitted), 2u);
  EXPECT_EQ(this->a().stats().tx_datagrams, 1u);
  EXPECT_FALSE(this->a().stats().gso_unavailable);
}

TYPED_TEST(KernelDatapathTest, SecondDatapathSharesAnAddressByReusePort) {
  const SocketOptions first_options{.reuse_port = true, .first_of_port = true};
  const auto first = this->a().open_socket({this->pair_->v4(), 0}, first_options);
  ASSERT_TRUE(first.ok());
  const Address shared = this->a().local_address(first.value());
  const auto second = this->b().open_socket(shared, {.reuse_port = true});
  ASSERT_TRUE(second.ok());
  this->start();
  // The kernel spreads many sources over both.
  for (int i = 0; i < 64; ++i) {
    const int raw = socket(AF_INET, SOCK_DGRAM, 0);
    KernelAddress target;
    const socklen_t length = to_kernel(shared, false, target);
    EXPECT_EQ(sendto(raw, "hello", 5, 0, &target.any, length), 5);
    close(raw);
  }
  const std::size_t got = this->receive(this->a(), 64).size();
  EXPECT_GT(got, 0u);
  EXPECT_LT(got, 64u);
  EXPECT_EQ(this->receive(this->b(), 64 - got).size(), 64 - got);
}

TYPED_TEST(KernelDatapathTest, TheFirstOfASharedPortHasItToItself) {
  const SocketOptions first_options{.reuse_port = true, .first_of_port = true};
  std::vector<std::uint16_t> ports;
  for (int i = 0; i < 500; ++i) {
    const auto first = this->a().open_socket({this->pair_->v4(), 0}, first_options);
    ASSERT_TRUE(first.ok());
    ports.push_back(this->a().local_address(first.value()).port);
  }
  const auto taken = this->b().open_socket({this->pair_->v4(), ports[0]}, first_options);
  ASSERT_FALSE(taken.ok());
  EXPECT_EQ(taken.error().code, EADDRINUSE);
  std::sort(ports.begin(), ports.end());
  EXPECT_EQ(std::adjacent_find(ports.begin(), ports.end()), ports.end());
}

TYPED_TEST(KernelDatapathTest, EmptyDatagramsAreCountedAndPassedOver) {
  const SocketId to = this->open(this->b(), this->pair_->v4());
  this->start();
  const int raw = socket(AF_INET, SOCK_DGRAM, 0);
  KernelAddress target;
  const socklen_t length = to_kernel(this->b().local_address(to), false, target);
  for (const std::size_t bytes : {0ul, 3ul, 0ul, 5ul}) {
    EXPECT_EQ(sendto(raw, "hello", bytes, 0, &target.any, length), static_cast<ssize_t>(bytes));
  }
  close(raw);
  const auto got = this->receive(this->b(), 2);
  ASSERT_EQ(got.size(), 2u);
  EXPECT_EQ(got[0].bytes.size(), 3u);
  EXPECT_EQ(this->b().stats().dropped(IoDrop::kRxEmpty), 2u);
}

TYPED_TEST(KernelDatapathTest, NativeHandlePollsReadableForADatagramAndForAWake) {
  const SocketId to = this->open(this->b(), this->pair_->v4());
  this->start();
  const int raw = socket(AF_INET, SOCK_DGRAM, 0);
  KernelAddress target;
  const socklen_t length = to_kernel(this->b().local_address(to), false, target);
  const int handle = this->b().native_handle();
  // 1: readable, 0: timed out, 2: there was no need to sleep.
  const auto poll_for = [&](int timeout_ms) {
    pollfd one{.fd = handle, .events = POLLIN, .revents = 0};
    const int ready = this->b().begin_wait() ? poll(&one, 1, timeout_ms) : 2;
    this->b().end_wait();
    return ready;
  };
  const auto later = [](auto&& act) {
    return std::thread([act] {
      std::this_thread::sleep_for(milliseconds(20));
      act();
    });
  };
  for (int i = 0; i < 3; ++i) {
    // A late notice of what was taken already may end a poll for nothing, not for ever.
    int quiet = 1;
    for (int tries = 0; quiet != 0 && tries < 5; ++tries) {
      this->receive(this->b(), 1);
      quiet = poll_for(1);
    }
    ASSERT_EQ(quiet, 0) << i;
    std::thread sender = later([&] { sendto(raw, "hello", 5, 0, &target.any, length); });
    EXPECT_NE(poll_for(5000), 0) << i;
    sender.join();
    EXPECT_EQ(this->receive(this->b(), 1).size(), 1u);
    std::thread waker = later([w = this->b().waker()] { w.wake(); });
    EXPECT_NE(poll_for(5000), 0) << i;
    waker.join();
  }
  close(raw);
}

}  // namespace
}  // namespace millrace::io
