// SPDX-License-Identifier: Apache-2.0
//
// Harnesses that let one test-suite run over every datapath: each makes two ends that
// can reach each other, and knows how to let time pass.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "io/datapath.h"
#include "io/sim_datapath.h"
#include "io/slot_datapath.h"
#include "io/socket_datapath.h"
#ifdef MILLRACE_IO_URING
#include "io/uring_datapath.h"
#endif

namespace millrace::io {

inline IpAddress ip(const char* text) { return *IpAddress::parse(text); }

// Two kernel datapaths over loopback.
template <class D>
class KernelPair {
 public:
  using Path = D;
  static constexpr bool kKernel = true;
  explicit KernelPair(const KernelOptions& options = {}) {
    for (auto& end : ends_) {
      auto made = D::create(options);
      if (!made) return;
      end = std::move(*made);
    }
  }
  bool available() const { return ends_[1] != nullptr; }
  D& a() { return *ends_[0]; }
  D& b() { return *ends_[1]; }
  IpAddress v4() const { return ip("127.0.0.1"); }
  IpAddress other_v4() const { return ip("127.0.0.2"); }
  IpAddress v6() const { return ip("::1"); }
  // Lets what was flushed arrive.
  void settle() {
    for (auto& end : ends_) end->flush();
    std::this_thread::sleep_for(microseconds(400));
  }

 private:
  std::unique_ptr<D> ends_[2];
};

class SimPair {
 public:
  using Path = SimDatapath;
  static constexpr bool kKernel = false;
  explicit SimPair(const KernelOptions& options = {})
      : a_(net_, {ip("10.0.0.1"), ip("fd00::1")}, host(options)),
        b_(net_, {ip("127.0.0.1"), ip("127.0.0.2"), ip("::1")}, host(options)) {}
  bool available() const { return true; }
  SimDatapath& a() { return a_; }
  SimDatapath& b() { return b_; }
  IpAddress v4() const { return ip("127.0.0.1"); }
  IpAddress other_v4() const { return ip("127.0.0.2"); }
  IpAddress v6() const { return ip("::1"); }
  void settle() { net_.advance_to(net_.now() + microseconds(200)); }

 private:
  static SimHostOptions host(const KernelOptions& options) {
    SimHostOptions out;
    out.rx_buffers = options.rx_buffers;
    out.tx_runs = options.tx_chunks;
    return out;
  }
  SimNetwork net_{1};
  SimDatapath a_;
  SimDatapath b_;
};

// Any pair behind slots.
template <class Pair>
class SlotPair {
 public:
  using Path = SlotDatapath<typename Pair::Path>;
  static constexpr bool kKernel = Pair::kKernel;
  explicit SlotPair(const KernelOptions& options = {}) : inner_(options) {
    if (!inner_.available()) return;
    a_.emplace(inner_.a(), options.rx_buffers * 4);
    b_.emplace(inner_.b(), options.rx_buffers * 4);
  }
  bool available() const { return inner_.available(); }
  Path& a() { return *a_; }
  Path& b() { return *b_; }
  IpAddress v4() const { return inner_.v4(); }
  IpAddress other_v4() const { return inner_.other_v4(); }
  IpAddress v6() const { return inner_.v6(); }
  void settle() { inner_.settle(); }

 private:
  Pair inner_;
  std::optional<Path> a_;
  std::optional<Path> b_;
};

// A copy of a received datagram.
struct Received {
  std::vector<std::uint8_t> bytes;
  Address source;
  IpAddress local;
  SocketId socket;
};

inline std::vector<std::uint8_t> pattern(std::size_t length, std::uint8_t seed) {
  std::vector<std::uint8_t> out(length);
  for (std::size_t i = 0; i < length; ++i) out[i] = static_cast<std::uint8_t>(seed + i * 7);
  return out;
}

template <class Pair>
class DatapathTest : public ::testing::Test {
 protected:
  using Path = typename Pair::Path;

  void use(const KernelOptions& options) { pair_ = std::make_unique<Pair>(options); }
  void SetUp() override {
    use({});
    if (!pair_->available()) GTEST_SKIP() << "this kernel or sandbox has no io_uring";
  }
  Path& a() { return pair_->a(); }
  Path& b() { return pair_->b(); }
  void start() {
    a().start();
    b().start();
  }
  SocketId open(Path& path, const IpAddress& local, std::uint16_t port = 0) {
    auto opened = path.open_socket({local, port}, {});
    EXPECT_TRUE(opened.ok()) << (opened.ok() ? "" : opened.error().message);
    return opened.ok() ? *opened : kNoSocket;
  }
  // Where to send so that socket `s` of b, bound to `reach` or a wildcard, gets it.
  Address at(Path& path, SocketId s, const IpAddress& reach) {
    return {reach, path.local_address(s).port};
  }
  // Sends lengths as one run; false when the datapath had less room.
  bool send(Path& path, const Destination& to, std::size_t pitch,
            const std::vector<std::size_t>& lengths, std::uint8_t seed = 0) {
    TxRun run = path.reserve(to, pitch, lengths.size());
    const bool all = run.size() == lengths.size();
    for (std::size_t i = 0; all && i < lengths.size(); ++i) {
      const auto bytes = pattern(lengths[i], static_cast<std::uint8_t>(seed + i));
      std::copy(bytes.begin(), bytes.end(), run.next().begin());
      run.push(lengths[i]);
    }
    path.commit(run);
    return all;
  }
  // Receives until `want` datagrams are there, or nothing has come for a while.
  std::vector<Received> receive(Path& path, std::size_t want, std::size_t burst = 32) {
    std::vector<Received> out;
    std::vector<RxView> views(burst);
    for (int idle = 0; out.size() < want && idle < 50;) {
      const std::size_t n = path.rx_burst(views);
      for (const RxView& view : std::span(views).first(n)) {
        out.push_back({{view.data, view.data + view.length},
                       view.buffer->source,
                       view.buffer->local,
                       view.buffer->socket});
      }
      path.rx_done();
      path.flush();
      idle = n > 0 ? 0 : idle + 1;
      if (out.size() < want && n == 0) pair_->settle();
    }
    return out;
  }
  void expect_patterns(const std::vector<Received>& got, const std::vector<std::size_t>& lengths,
                       std::uint8_t seed = 0) {
    ASSERT_EQ(got.size(), lengths.size());
    for (std::size_t i = 0; i < got.size(); ++i) {
      EXPECT_EQ(got[i].bytes, pattern(lengths[i], static_cast<std::uint8_t>(seed + i))) << i;
    }
  }

  std::unique_ptr<Pair> pair_;
};

}  // namespace millrace::io
