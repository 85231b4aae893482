// SPDX-License-Identifier: Apache-2.0
//
// Harnesses that let one test-suite run over every datapath: each makes two ends that
// can reach each other, and knows how to let time pass.
#pragma once

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
    for (auto& end : ends_) end->wait(microseconds(200));
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

}  // namespace millrace::io
