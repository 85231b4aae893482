// SPDX-License-Identifier: Apache-2.0
#include "io/dpdk/ring_pair.h"

#include <rte_errno.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_ring.h>

#include <algorithm>
#include <array>
#include <mutex>
#include <vector>

#include "io/io_error.h"

namespace millrace::io {
namespace {

struct RingPair {
  std::array<std::string, 2> devices;
  std::array<std::vector<rte_ring*>, 2> rings;
  unsigned closed = 0;

  void free() {
    for (const std::vector<rte_ring*>& way : rings) {
      for (rte_ring* const ring : way) {
        for (void* frame = nullptr; rte_ring_dequeue(ring, &frame) == 0;) {
          rte_pktmbuf_free(static_cast<rte_mbuf*>(frame));
        }
        rte_ring_free(ring);
      }
    }
  }
};

std::mutex g_rings_mutex;
std::vector<RingPair> g_pairs;
unsigned g_made = 0;

bool make_rings(const std::string& base, std::uint16_t queues, unsigned depth, RingPair& pair) {
  for (std::size_t way = 0; way < pair.rings.size(); ++way) {
    for (std::uint16_t i = 0; i < queues; ++i) {
      const std::string name = base + (way == 0 ? "a" : "b") + std::to_string(i);
      rte_ring* const ring = rte_ring_create(name.c_str(), depth, SOCKET_ID_ANY, 0);
      if (ring == nullptr) return false;
      pair.rings[way].push_back(ring);
    }
  }
  return true;
}

std::vector<RingPair>::iterator find_pair(const std::string& device) {
  return std::find_if(g_pairs.begin(), g_pairs.end(), [&](const RingPair& pair) {
    return pair.devices[0] == device || pair.devices[1] == device;
  });
}

}  // namespace

Result<std::pair<std::string, std::string>, IoError> make_ring_pair(std::uint16_t queues,
                                                                    unsigned depth) {
  const std::lock_guard lock(g_rings_mutex);
  const std::string base = "millrace" + std::to_string(g_made++);
  RingPair pair;
  if (!make_rings(base, queues, depth, pair)) {
    const int code = rte_errno;
    pair.free();
    return Failure(io_error("dpdk: ring", code));
  }
  for (std::size_t end = 0; end < pair.devices.size(); ++end) {
    const std::string name = base + (end == 0 ? "a" : "b");
    const int port = rte_eth_from_rings(name.c_str(), pair.rings[end].data(), queues,
                                        pair.rings[1 - end].data(), queues, 0);
    if (port < 0) return Failure(io_error("dpdk: net_ring", rte_errno));
    std::array<char, RTE_ETH_NAME_MAX_LEN> full{};
    rte_eth_dev_get_name_by_port(static_cast<std::uint16_t>(port), full.data());
    pair.devices[end] = full.data();
  }
  g_pairs.push_back(pair);
  return std::pair{pair.devices[0], pair.devices[1]};
}

bool is_of_ring_pair(const std::string& device) {
  const std::lock_guard lock(g_rings_mutex);
  return find_pair(device) != g_pairs.end();
}

void end_of_ring_pair(const std::string& device) {
  const std::lock_guard lock(g_rings_mutex);
  const auto found = find_pair(device);
  if (found == g_pairs.end() || ++found->closed < found->devices.size()) return;
  found->free();
  g_pairs.erase(found);
}

}  // namespace millrace::io
