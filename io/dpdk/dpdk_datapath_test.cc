// SPDX-License-Identifier: Apache-2.0
//
// What a datapath over a device does beside what all do: neighbours, several queues, a link
// that is down, sizes, and waiting without the kernel's help.
#include "io/dpdk/dpdk_datapath.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "io/dpdk/dpdk_fixture.h"
#include "io/monotonic_clock.h"
#include "io/net/wire.h"

namespace millrace::io {
namespace {

std::shared_ptr<DpdkPort> open_port(DpdkPortOptions options) {
  auto port = DpdkPort::create(std::move(options));
  EXPECT_TRUE(port.ok()) << (port.ok() ? "" : port.error().message);
  return port.ok() ? port.value() : nullptr;
}

std::unique_ptr<DpdkDatapath> open_queue(const std::shared_ptr<DpdkPort>& port,
                                         std::uint16_t queue = 0) {
  auto made = DpdkDatapath::create(port, queue);
  EXPECT_TRUE(made.ok()) << (made.ok() ? "" : made.error().message);
  return made.ok() ? std::move(made).value() : nullptr;
}

bool send(DpdkDatapath& path, SocketId from, const char* to, std::size_t pitch,
          std::size_t length) {
  TxRun run = path.reserve({from, *Address::parse(to), {}}, pitch, 1);
  if (run.empty()) return false;
  std::fill_n(run.next().begin(), length, std::uint8_t{7});
  run.push(length);
  path.commit(run);
  return true;
}

class DpdkDatapathTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_FALSE(start_eal(test_eal())); }
};

TEST_F(DpdkDatapathTest, WhatIsSentToAStrangerWaitsForItsAnswer) {
  const auto devices = ring_devices();
  const auto a =
      open_queue(open_port(test_port(devices.first, "10.0.0.1/24", nullptr, nullptr, {})));
  const auto b =
      open_queue(open_port(test_port(devices.second, "10.0.0.2/24", nullptr, nullptr, {})));
  const SocketId from = bind(*a, "10.0.0.1:4000");
  bind(*b, "10.0.0.2:5000");
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(send(*a, from, "10.0.0.2:5000", 100, 100));
  a->flush();
  EXPECT_EQ(a->stats().tx_datagrams, 0u);
  EXPECT_EQ(turn(*b), 0u);  // The question alone.
  turn(*a);
  EXPECT_EQ(turn(*b), 3u);
  EXPECT_EQ(a->stats().tx_datagrams, 3u);
  EXPECT_EQ(a->net_stats().resolved, 1u);
}

TEST_F(DpdkDatapathTest, WhatNobodyAnswersForIsACountedDrop) {
  const auto devices = ring_devices();
  DpdkPortOptions options = test_port(devices.first, "10.0.0.1/24", nullptr, nullptr, {});
  options.net.neighbours.retransmit_time = milliseconds(5);
  const auto a = open_queue(open_port(options));
  const SocketId from = bind(*a, "10.0.0.1:4000");
  ASSERT_TRUE(send(*a, from, "10.0.0.9:5000", 100, 100));
  ASSERT_TRUE(send(*a, from, "192.0.2.1:5000", 100, 100));  // There is no gateway.
  EXPECT_EQ(a->stats().dropped(IoDrop::kTxUnreachable), 1u);
  const Time end = monotonic_now() + seconds(20);
  while (a->stats().dropped(IoDrop::kTxUnreachable) < 2 && monotonic_now() < end) {
    turn(*a);
    a->wait(monotonic_now() + milliseconds(1));
  }
  EXPECT_EQ(a->stats().dropped(IoDrop::kTxUnreachable), 2u);
  EXPECT_FALSE(a->resolve(ip("10.0.0.9"), monotonic_now() + milliseconds(50)));
}

TEST_F(DpdkDatapathTest, AFrameOfAnotherQueueGoesToTheShardThatHasItsPort) {
  const auto devices = make_ring_pair(2);
  ASSERT_TRUE(devices.ok());
  DpdkPortOptions first = test_port(devices.value().first, "10.0.0.1/24", nullptr, nullptr, {});
  DpdkPortOptions second = test_port(devices.value().second, "10.0.0.2/24", nullptr, nullptr, {});
  first.queues = second.queues = 2;
  const auto a = open_queue(open_port(first));
  const auto b_port = open_port(second);
  const auto b0 = open_queue(b_port, 0);
  const auto b1 = open_queue(b_port, 1);
  const SocketId from = bind(*a, "10.0.0.1:4000");
  const SocketId own = bind(*b1, "10.0.0.2:6000");
  EXPECT_FALSE(b0->open_socket(*Address::parse("10.0.0.2:6000"), {}).ok());
  // Those who share a port have each what their queue brings.
  bind(*b0, "10.0.0.2:5000", {.reuse_port = true, .first_of_port = true});
  bind(*b1, "10.0.0.2:5000", {.reuse_port = true});
  for (const char* to : {"10.0.0.2:6000", "10.0.0.2:5000", "10.0.0.2:7000"}) {
    ASSERT_TRUE(send(*a, from, to, 100, 100));
  }
  a->flush();
  turn(*b0);
  turn(*a);
  EXPECT_EQ(turn(*b0), 1u);
  std::array<RxView, 8> views;
  ASSERT_EQ(b1->rx_burst(views), 1u);
  EXPECT_EQ(views[0].buffer->socket, own);
  EXPECT_EQ(views[0].buffer->source, *Address::parse("10.0.0.1:4000"));
  b1->rx_done();
  EXPECT_EQ(b0->stats().dropped(IoDrop::kRxClosedSocket), 1u);
}

// Two queues whose owner has a port on the second alone, and a peer that sends to the first.
class HandOverTest : public DpdkDatapathTest {
 protected:
  void SetUp() override {
    DpdkDatapathTest::SetUp();
    const auto devices = make_ring_pair(2);
    ASSERT_TRUE(devices.ok());
    DpdkPortOptions first = test_port(devices.value().first, "10.0.0.1/24", nullptr, nullptr, {});
    DpdkPortOptions second = test_port(devices.value().second, "10.0.0.2/24", nullptr, nullptr, {});
    first.queues = second.queues = 2;
    peer_port_ = open_port(first);
    port_ = open_port(second);
    ASSERT_TRUE(peer_port_ && port_);
    for (std::uint16_t i = 0; i < 2; ++i) {
      peer_.push_back(open_queue(peer_port_, i));
      own_.push_back(open_queue(port_, i));
    }
    from_ = bind(*peer_[0], "10.0.0.1:4000", {.reuse_port = true, .first_of_port = true});
    from_1_ = bind(*peer_[1], "10.0.0.1:4000", {.reuse_port = true});
    bind(*own_[1], "10.0.0.2:6000");
    // Until both of the peer's queues know the way.
    for (std::size_t i = 0; i < 2; ++i) {
      ASSERT_TRUE(send(*peer_[i], i == 0 ? from_ : from_1_, "10.0.0.2:6000", 100, 100));
      for (int turns = 0; turns < 4; ++turns) {
        for (auto& path : peer_) turn(*path);
        for (auto& path : own_) turn(*path);
      }
    }
    own_[1]->end_wait();  // Nothing is told of any more.
    ASSERT_TRUE(own_[1]->begin_wait());
    own_[1]->end_wait();
  }
  // Those of the first queue have 100 bytes, those of the second 101.
  void send_many(std::size_t queue, int n) {
    for (int i = 0; i < n; ++i) {
      ASSERT_TRUE(
          send(*peer_[queue], queue == 0 ? from_ : from_1_, "10.0.0.2:6000", 101, 100 + queue));
    }
    peer_[queue]->flush();
  }

  std::shared_ptr<DpdkPort> peer_port_;
  std::shared_ptr<DpdkPort> port_;
  std::vector<std::unique_ptr<DpdkDatapath>> peer_;
  std::vector<std::unique_ptr<DpdkDatapath>> own_;
  SocketId from_ = kNoSocket;
  SocketId from_1_ = kNoSocket;
};

// A router's word (RFC 792) on a datagram of 1400 bytes from 10.0.0.2:6000 to `remote`.
std::vector<std::uint8_t> router_word(const DpdkPort& from, const DpdkPort& to,
                                      const Address& remote) {
  const IpAddress own = ip("10.0.0.2");
  constexpr std::size_t kIcmp = 14 + 20;
  constexpr std::size_t kQuote = kIcmp + 8;
  std::vector<std::uint8_t> frame(kQuote + 20 + 8 + 16);
  std::size_t at = write_ethernet(frame.data(), to.options().net.mac, from.options().net.mac,
                                  std::nullopt, EtherType::kIpv4);
  write_ipv4(&frame[at], ip("10.0.0.1"), own, IpProtocol::kIcmp, 64);
  store_be16(&frame[at + 2], static_cast<std::uint16_t>(frame.size() - at));
  store_be16(&frame[at + 10], checksum_finish(checksum_add({}, ByteSpan(&frame[at], 20))));
  frame[kIcmp] = 3;
  frame[kIcmp + 1] = 4;
  store_be16(&frame[kIcmp + 6], 1300);
  write_ipv4(&frame[kQuote], own, remote.ip, IpProtocol::kUdp, 63);
  store_be16(&frame[kQuote + 2], 1428);
  store_be16(&frame[kQuote + 20], 6000);
  store_be16(&frame[kQuote + 22], remote.port);
  store_be16(&frame[kQuote + 24], 1408);
  std::fill_n(&frame[kQuote + 28], 16, std::uint8_t{9});
  store_be16(&frame[kIcmp + 2], checksum_finish(checksum_add({}, ByteSpan(frame).subspan(kIcmp))));
  return frame;
}

void transmit(DpdkPort& port, std::uint16_t queue, ByteSpan frame) {
  rte_mbuf* mbuf = rte_pktmbuf_alloc(port.queue(queue).tx_pool);
  ASSERT_NE(mbuf, nullptr);
  std::copy(frame.begin(), frame.end(), rte_pktmbuf_mtod(mbuf, std::uint8_t*));
  mbuf->data_len = static_cast<std::uint16_t>(frame.size());
  mbuf->pkt_len = mbuf->data_len;
  ASSERT_EQ(rte_eth_tx_burst(port.id(), queue, &mbuf, 1), 1u);
}

// ICMP has no ports to be spread by: it comes to whichever queue the device chooses.
TEST_F(HandOverTest, ARoutersWordComesToTheShardThatHasThePort) {
  const Address remote = *Address::parse("198.51.100.7:2000");
  transmit(*peer_port_, 0, router_word(*peer_port_, *port_, remote));
  turn(*own_[0]);
  EXPECT_TRUE(own_[0]->refused_sends().empty());
  turn(*own_[1]);
  const std::span<const RefusedSend> told = own_[1]->refused_sends();
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].remote, remote);
  EXPECT_EQ(told[0].bytes, 1400u);
  ASSERT_TRUE(told[0].router);
  EXPECT_EQ(told[0].router->local, ip("10.0.0.2"));
  EXPECT_EQ(told[0].router->limit, 1272u);
  EXPECT_EQ(told[0].router->quoted, 16u);
  EXPECT_EQ(told[0].router->quote[15], 9);
  EXPECT_TRUE(own_[1]->refused_sends().empty());
  // A flood of them is cut short, and counted.
  for (int i = 0; i < 20; ++i) {
    transmit(*peer_port_, 1, router_word(*peer_port_, *port_, remote));
  }
  turn(*own_[1]);
  EXPECT_EQ(own_[1]->refused_sends().size(), RefusedSends::kMaxWords);
  EXPECT_EQ(own_[1]->net_stats().dropped(NetDrop::kRxPathMtuLimit), 20u - RefusedSends::kMaxWords);
}

TEST_F(HandOverTest, WakesTheShardThatAFrameIsHandedTo) {
  send_many(0, 3);
  EXPECT_EQ(turn(*own_[0]), 0u);
  EXPECT_EQ(turn(*own_[1]), 3u);
  // Nothing is left to receive: what keeps it from sleeping is the wake.
  EXPECT_FALSE(own_[1]->begin_wait());
  own_[1]->end_wait();
  EXPECT_TRUE(own_[1]->begin_wait());
  own_[1]->end_wait();
}

TEST_F(HandOverTest, WhatOthersHandOverDoesNotStarveTheDevice) {
  send_many(0, 50);
  send_many(1, 40);
  turn(*own_[0]);
  std::array<RxView, 64> views;
  // A share of what was handed over, and all of the device's, in one burst.
  ASSERT_EQ(own_[1]->rx_burst(std::span(views).first(16)), 16u);
  EXPECT_EQ(std::count_if(views.begin(), views.begin() + 16,
                          [](const RxView& view) { return view.length == 101; }),
            8);
  own_[1]->rx_done();
  EXPECT_EQ(own_[1]->rx_burst(views), 64u);
  own_[1]->rx_done();
  // 8 and 32 of the 50 handed over are taken, and all 40 of the device's.
  EXPECT_EQ(own_[1]->rx_burst(views), 10u);
  own_[1]->rx_done();
}

TEST_F(HandOverTest, AFewHandedOverDoNotEndTheBurst) {
  send_many(0, 1);
  send_many(1, 20);
  turn(*own_[0]);
  EXPECT_EQ(turn(*own_[1]), 21u);
}

TEST_F(DpdkDatapathTest, ADeviceCanBeOpenedAgainByItsName) {
  // The driver never closes the listener of a server whose socket is abstract.
  const std::string file =
      testing::TempDir() + "millrace-test-" + std::to_string(getpid()) + ".sock";
  for (const std::string& device :
       {memif_devices().second, "net_memif900,role=server,socket-abstract=no,socket=" + file}) {
    for (int i = 0; i < 3; ++i) {
      const auto port = open_port(test_port(device, "10.0.0.1/24", nullptr, nullptr, {}));
      ASSERT_TRUE(port);
      ASSERT_TRUE(open_queue(port));
    }
  }
}

TEST_F(DpdkDatapathTest, AMemifOfAnyClientsRoleLooksForItsServerAnew) {
  for (const char* role : {",role=client", ",role=slave", ""}) {
    auto [server, client] = memif_devices();
    const std::string stated = ",role=client";
    client.replace(client.find(stated), stated.size(), role);
    const DpdkPortOptions options = test_port(server, "10.0.0.1/24", nullptr, nullptr, {});
    auto b = open_queue(open_port(options));
    const auto a_port = open_port(test_port(client, "10.0.0.2/24", nullptr, nullptr, {}));
    const auto a = open_queue(a_port);
    const auto await = [&](bool up) {
      for (const Time end = monotonic_now() + seconds(20);
           a_port->link_up() != up && monotonic_now() < end;) {
        turn(*a);
        if (b) turn(*b);
        a->wait(monotonic_now() + milliseconds(5));
      }
      return a_port->link_up() == up;
    };
    ASSERT_TRUE(await(true)) << client;
    b.reset();
    ASSERT_TRUE(await(false)) << client;
    DpdkPortOptions anew = options;
    anew.device.replace(0, anew.device.find(','),
                        anew.device.substr(0, anew.device.find(',')) + "9");
    b = open_queue(open_port(anew));
    EXPECT_TRUE(await(true)) << client;
  }
}

// It listens and never answers; once there is no room to wait, connecting takes for ever.
TEST_F(DpdkDatapathTest, AMemifsServerThatIsFrozenFreezesNobodyElse) {
  const std::string file =
      testing::TempDir() + "millrace-frozen-" + std::to_string(getpid()) + ".sock";
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  file.copy(address.sun_path, sizeof(address.sun_path) - 1);
  const int frozen = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  ASSERT_EQ(::bind(frozen, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  ASSERT_EQ(listen(frozen, 1), 0);
  const std::string tail = ",id=0,socket-abstract=no,socket=" + file;
  const auto a_port =
      open_port(test_port("net_memif910,role=client" + tail, "10.0.0.2/24", nullptr, nullptr, {}));
  ASSERT_TRUE(a_port);
  const auto a = open_queue(a_port);
  // Several attempts, each of which would be the last.
  for (const Time end = monotonic_now() + milliseconds(4500); monotonic_now() < end;) {
    turn(*a);
    a->wait(monotonic_now() + milliseconds(5));
    EXPECT_FALSE(a_port->link_up());
  }
  std::atomic<bool> ran{false};
  const auto task = [](void* told) { static_cast<std::atomic<bool>*>(told)->store(true); };
  ASSERT_TRUE(MemifGuard::run_later(task, &ran));
  for (const Time end = monotonic_now() + seconds(20); !ran && monotonic_now() < end;) {
    std::this_thread::sleep_for(milliseconds(5));
  }
  EXPECT_TRUE(ran) << "the driver's thread is stuck";
  close(frozen);
  MemifGuard::cancel(task, &ran);
  unlink(file.c_str());
}

// The linker leads every connect of a program through the guard's.
TEST_F(DpdkDatapathTest, OnlyAMemifsConnectingHasATimeOut) {
  const std::string name = "millrace-others-" + std::to_string(getpid());
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  name.copy(address.sun_path + 1, sizeof(address.sun_path) - 1);
  const auto* const to = reinterpret_cast<const sockaddr*>(&address);
  const int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ASSERT_EQ(::bind(listener, to, sizeof(address)), 0);
  ASSERT_EQ(listen(listener, 8), 0);
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const auto connect_in_driver = [&] {
    MemifGuard::run_serially([&] { EXPECT_EQ(connect(fd, to, sizeof(address)), 0); });
  };
  const int other = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ASSERT_EQ(connect(other, to, sizeof(address)), 0);
  connect_in_driver();  // An embedder's own task there.
  for (const int each : {fd, other}) {
    timeval limit{.tv_sec = 1, .tv_usec = 1};
    socklen_t size = sizeof(limit);
    ASSERT_EQ(getsockopt(each, SOL_SOCKET, SO_SNDTIMEO, &limit, &size), 0);
    EXPECT_EQ(limit.tv_sec, 0);
    EXPECT_EQ(limit.tv_usec, 0);
    close(each);
  }
  close(listener);
}

TEST_F(DpdkDatapathTest, ALinkThatIsDownTakesNothingAndHoldsNothingForEver) {
  DpdkPortOptions options = test_port(memif_devices().first, "10.0.0.2/24", nullptr, nullptr, {});
  // Nobody is there to ask, so the address is stated.
  options.net.static_neighbours.push_back(
      {ip("10.0.0.1"), *MacAddress::parse("02:00:00:00:00:01")});
  const auto port = open_port(options);
  ASSERT_TRUE(port);
  EXPECT_FALSE(port->link_up());
  const auto a = open_queue(port);
  const SocketId from = bind(*a, "10.0.0.2:4000");
  std::size_t sent = 0;
  while (send(*a, from, "10.0.0.1:5000", 1200, 1200) && sent < 100'000) ++sent;
  EXPECT_LT(sent, 100'000u);  // Backpressure.
  a->flush();
  EXPECT_EQ(a->stats().tx_datagrams, 0u);
  const Time end = monotonic_now() + seconds(20);
  while (a->stats().dropped(IoDrop::kTxNoBuffer) < sent && monotonic_now() < end) {
    a->wait(monotonic_now() + milliseconds(5));
  }
  EXPECT_GE(a->stats().dropped(IoDrop::kTxNoBuffer), sent);
  EXPECT_TRUE(send(*a, from, "10.0.0.1:5000", 1200, 1200));
}

TEST_F(DpdkDatapathTest, WhatIsTooLargeForAFrameIsACountedDropAndNothingElseSuffers) {
  RingDevices pair;
  ASSERT_TRUE(pair.available());
  const SocketId from = bind(pair.a(), "10.0.0.1:4000");
  bind(pair.b(), "10.0.0.2:5000");
  ASSERT_TRUE(send(pair.a(), from, "10.0.0.2:5000", 1472, 1472));
  ASSERT_TRUE(send(pair.a(), from, "10.0.0.2:5000", 1473, 1473));  // One more than the MTU.
  ASSERT_TRUE(send(pair.a(), from, "10.0.0.2:5000", 9000, 9000));  // More than a buffer.
  ASSERT_TRUE(send(pair.a(), from, "10.0.0.2:5000", 65507, 65507));
  ASSERT_TRUE(send(pair.a(), from, "10.0.0.2:5000", 65507, 1000));  // Asked for, not written.
  pair.a().flush();
  EXPECT_EQ(turn(pair.b()), 2u);
  EXPECT_EQ(pair.a().stats().dropped(IoDrop::kTxTooBig), 3u);
}

TEST_F(DpdkDatapathTest, JumboFramesPassWhereBothEndsTakeThem) {
  const auto devices = memif_devices();
  DpdkPortOptions first = test_port(devices.first, "10.0.0.1/24", nullptr, nullptr, {});
  DpdkPortOptions second = test_port(devices.second, "10.0.0.2/24", nullptr, nullptr, {});
  first.net.mtu = second.net.mtu = 9000;
  const auto a = open_queue(open_port(first));
  const auto b = open_queue(open_port(second));
  const SocketId from = bind(*a, "10.0.0.1:4000");
  bind(*b, "10.0.0.2:5000");
  ASSERT_TRUE(send(*a, from, "10.0.0.2:5000", 8972, 8972));
  ASSERT_TRUE(send(*a, from, "10.0.0.2:5000", 8973, 8973));
  std::size_t got = 0;
  for (const Time end = monotonic_now() + seconds(20); got == 0 && monotonic_now() < end;) {
    turn(*a);
    got += turn(*b);
  }
  EXPECT_EQ(got, 1u);
  EXPECT_EQ(b->stats().rx_bytes, 8972u);
  EXPECT_EQ(a->stats().dropped(IoDrop::kTxTooBig), 1u);
}

TEST_F(DpdkDatapathTest, WaitEndsForADatagramForAWakeAndAtItsTime) {
  RingDevices pair;
  ASSERT_TRUE(pair.available());
  const SocketId from = bind(pair.a(), "10.0.0.1:4000");
  bind(pair.b(), "10.0.0.2:5000");
  const Time begin = monotonic_now();
  pair.b().wait(begin + milliseconds(20));
  EXPECT_GE(monotonic_now(), begin + milliseconds(20));
  EXPECT_GT(pair.b().stats().sleeps, 0u);
  std::atomic<bool> done{false};
  std::thread other([&] {
    pair.b().start();
    pair.b().wait(monotonic_now() + seconds(30));
    done = true;
  });
  std::this_thread::sleep_for(milliseconds(5));
  ASSERT_TRUE(send(pair.a(), from, "10.0.0.2:5000", 100, 100));
  pair.a().flush();
  other.join();
  EXPECT_EQ(turn(pair.b()), 1u);
  std::thread waker([&, handle = pair.b().waker()] {
    std::this_thread::sleep_for(milliseconds(5));
    handle.wake();
  });
  pair.b().wait(monotonic_now() + seconds(30));
  waker.join();
  EXPECT_LT(monotonic_now() - begin, seconds(25));
}

TEST_F(DpdkDatapathTest, NativeHandleIsReadableSoonWhereADeviceRaisesNoInterrupts) {
  RingDevices pair;
  ASSERT_TRUE(pair.available());
  pollfd handle{.fd = pair.b().native_handle(), .events = POLLIN, .revents = 0};
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(pair.b().begin_wait());
    EXPECT_EQ(poll(&handle, 1, 20'000), 1);
    pair.b().end_wait();
    EXPECT_EQ(poll(&handle, 1, 0), 0);
  }
  pair.b().waker().wake();
  EXPECT_FALSE(pair.b().begin_wait());
  pair.b().end_wait();
}

// Who lets go of what is scarce is never deaf, however much else he holds.
TEST_F(DpdkDatapathTest, BeyondHalfOfThemBuffersAreScarceUntilSomeComeHome) {
  KernelOptions few;
  few.rx_buffers = 64;
  RingDevices pair(few);
  ASSERT_TRUE(pair.available());
  const SocketId from = bind(pair.a(), "10.0.0.1:4000");
  bind(pair.b(), "10.0.0.2:5000");
  std::vector<BufferRef> held;
  const auto receive_one = [&] {
    EXPECT_TRUE(send(pair.a(), from, "10.0.0.2:5000", 100, 100));
    pair.a().flush();
    std::array<RxView, 1> view;
    if (pair.b().rx_burst(view) != 1) return false;
    if (!view[0].buffer->scarce) held.emplace_back(view[0].buffer);
    const bool scarce = view[0].buffer->scarce;
    pair.b().rx_done();
    return scarce;
  };
  for (int i = 0; i < 32; ++i) EXPECT_FALSE(receive_one()) << i;
  for (int i = 0; i < 200; ++i) EXPECT_TRUE(receive_one()) << i;
  EXPECT_EQ(pair.b().stats().rx_starved, 0u);
  held.pop_back();
  EXPECT_FALSE(receive_one());
  EXPECT_TRUE(receive_one());
}

TEST_F(DpdkDatapathTest, BuffersComeHomeAndTheDeviceCountsWhatItCarried) {
  MemifDevices pair;
  ASSERT_TRUE(pair.available());
  const SocketId from = bind(pair.a(), "10.0.0.1:4000");
  bind(pair.b(), "10.0.0.2:5000");
  const auto before = pair.port(1).free_buffers();
  std::size_t got = 0;
  for (int i = 0; i < 5000; ++i) {
    ASSERT_TRUE(send(pair.a(), from, "10.0.0.2:5000", 1000, 1000));
    pair.a().flush();
    got += turn(pair.b());
  }
  for (int i = 0; i < 100; ++i) got += turn(pair.b());
  EXPECT_EQ(got, 5000u);
  EXPECT_EQ(pair.port(1).free_buffers(), before);
  std::uint64_t received = 0;
  for (const auto& [name, value] : pair.port(1).extended_stats()) {
    if (name == "rx_good_packets") received = value;
  }
  EXPECT_GE(received, 5000u);
}

}  // namespace
}  // namespace millrace::io
