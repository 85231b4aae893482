// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "engine/base/bytes.h"
#include "io/dpdk/dpdk_port.h"

struct rte_mbuf;

namespace millrace::test {

// FrameSwitch is an Ethernet switch for devices of DPDK's in this process: a pair of rings to
// each, and a thread that carries frames between them by the addresses it has learnt. A device
// with several queues gets all of a conversation on one of them, as from a card with RSS.
// Frames that find a ring full are lost.
class FrameSwitch {
 public:
  FrameSwitch();
  ~FrameSwitch();
  FrameSwitch(const FrameSwitch&) = delete;
  FrameSwitch& operator=(const FrameSwitch&) = delete;

  // The name of a device that is plugged in; empty: the test failed.
  std::string plug_in(std::uint16_t queues);

 private:
  using Port = std::shared_ptr<io::DpdkPort>;

  void run();
  bool turn();
  void carry(std::size_t from, rte_mbuf* frame);
  static void give(io::DpdkPort& port, rte_mbuf* frame);

  std::mutex mutex_;
  std::vector<Port> ports_;
  std::map<std::array<std::uint8_t, 6>, std::size_t> stations_;  // By MAC address.
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace millrace::test
