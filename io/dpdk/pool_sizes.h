// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>

namespace millrace::io {

// PoolNeeds are what the pools of one queue are for, in buffers.
struct PoolNeeds {
  std::size_t rx_descriptors = 0;  // What the device holds to receive into.
  std::size_t tx_descriptors = 0;  // What it holds until it is sent.
  std::size_t rx_buffers = 0;      // Lent or held.
  std::size_t tx_buffers = 0;      // Reserved or queued.
  // Threads that may free a frame of the queue: every shard of the device, for frames are handed
  // over, and over a pair of rings those of the other end.
  std::size_t threads = 1;
};

// PoolSizes are the buffers of a queue's two pools, and how many of each a thread caches.
struct PoolSizes {
  std::size_t rx = 0;
  std::size_t tx = 0;
  std::size_t cache = 0;
};

// What a thread's cache holds is out of the others' reach for good: DPDK empties it when it has
// grown to one and a half of its size. So every cache is counted as full, and where buffers are
// few or threads are many the caches are small: together they add three eighths at most.
constexpr PoolSizes pool_sizes(const PoolNeeds& needs) {
  // All that a turn reserves before the device has any of it: what is not in the cache comes from
  // the pool's far end, out of every processor's cache.
  constexpr std::size_t kLargestCache = 512;
  constexpr std::size_t kSmallestCache = 16;  // Below, one serves nobody.
  const std::size_t share =
      std::min(needs.rx_buffers, needs.tx_buffers) / (4 * std::max<std::size_t>(needs.threads, 1));
  PoolSizes sizes;
  sizes.cache = share < kSmallestCache ? 0 : std::min(share, kLargestCache);
  const std::size_t cached = needs.threads * (sizes.cache + sizes.cache / 2 + 1);
  sizes.rx = needs.rx_descriptors + needs.rx_buffers + cached;
  sizes.tx = needs.tx_descriptors + needs.tx_buffers + cached;
  return sizes;
}

}  // namespace millrace::io
