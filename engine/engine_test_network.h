// SPDX-License-Identifier: Apache-2.0
//
// Networks for engines that live in real time, with threads of their own.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "io/datapath.h"
#include "io/monotonic_clock.h"
#include "millrace/engine.h"

namespace millrace::test {

// TestHost is a host without an engine. It belongs to the thread that first receives.
class TestHost {
 public:
  using Receive = std::function<void(io::SocketId, const Address& from, ByteSpan)>;
  virtual ~TestHost() = default;

  // A UDP socket at the host's address, on a port that it chooses.
  virtual io::SocketId open() = 0;
  virtual Address address(io::SocketId socket) const = 0;
  virtual void close(io::SocketId socket) = 0;
  virtual void send(io::SocketId from, const Address& to, ByteSpan bytes) = 0;
  // Hands out what has come, waiting a few milliseconds for it.
  virtual void receive(const Receive& each) = 0;
};

template <io::Datapath D>
class DatapathHost final : public TestHost {
 public:
  DatapathHost(std::unique_ptr<D> datapath, const IpAddress& ip)
      : datapath_(std::move(datapath)), ip_(ip) {}

  io::SocketId open() override {
    const auto socket = datapath_->open_socket({ip_, 0}, {});
    EXPECT_TRUE(socket.ok()) << (socket.ok() ? "" : socket.error().message);
    return socket.ok() ? socket.value() : io::kNoSocket;
  }
  Address address(io::SocketId socket) const override { return datapath_->local_address(socket); }
  void close(io::SocketId socket) override { datapath_->close_socket(socket); }
  void send(io::SocketId from, const Address& to, ByteSpan bytes) override {
    io::TxRun run = datapath_->reserve({from, to, {}}, bytes.size(), 1);
    if (run.empty()) return;
    std::copy(bytes.begin(), bytes.end(), run.next().begin());
    run.push(bytes.size());
    datapath_->commit(run);
  }
  void receive(const Receive& each) override {
    if (!std::exchange(started_, true)) datapath_->start();
    std::array<io::RxView, 64> views;
    const std::size_t n = datapath_->rx_burst(views);
    for (const io::RxView& view : std::span(views).first(n)) {
      each(view.buffer->socket, view.buffer->source, {view.data, view.length});
    }
    datapath_->flush();
    datapath_->rx_done();
    if (n == 0) datapath_->wait(io::monotonic_now() + milliseconds(5));
  }

 private:
  const std::unique_ptr<D> datapath_;
  const IpAddress ip_;
  bool started_ = false;
};

// TestNetwork is where the engines of a test meet: the kernel's loopback, or devices of DPDK's
// on a switch. It outlives them.
class TestNetwork {
 public:
  struct Host {
    std::string v4;
    std::string v6;
  };
  virtual ~TestNetwork() = default;

  // Gives an engine that is to be made its datapath, and says at which addresses it is.
  virtual Host join(EngineOptions& options) = 0;
  virtual std::unique_ptr<TestHost> make_host() = 0;
};

struct NetworkCase {
  const char* name;
  std::unique_ptr<TestNetwork> (*make)();
};

// What to run the tests over; a program of tests links one set of them.
std::vector<NetworkCase> network_cases();

inline std::string network_name(const testing::TestParamInfo<NetworkCase>& network) {
  return network.param.name;
}

}  // namespace millrace::test
