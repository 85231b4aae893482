// SPDX-License-Identifier: Apache-2.0
#include "io/net/next_hop_cache.h"

#include <bit>

namespace millrace::io {

NextHopCache::NextHopCache(std::size_t capacity, Rng& rng)
    : secret_{rng.next(), rng.next()}, sets_(std::bit_ceil((capacity + kWays - 1) / kWays)) {
  keys_.resize(sets_ * kWays);
  hops_.resize(sets_ * kWays);
}

NextHopCache::Key NextHopCache::key_of(const IpAddress& local, const IpAddress& remote) {
  return {.local = local.words(),
          .remote = remote.words(),
          .local_family = local.family,
          .remote_family = remote.family};
}

std::size_t NextHopCache::set_of(const Key& key) const {
  const std::array<std::uint64_t, 5> words{
      key.local[0], key.local[1], key.remote[0], key.remote[1],
      std::uint64_t{static_cast<std::uint8_t>(key.local_family)} << 8 |
          static_cast<std::uint8_t>(key.remote_family)};
  return siphash_words<1, 3>(secret_, words) & (sets_ - 1);
}

NextHop* NextHopCache::find(const IpAddress& local, const IpAddress& remote) {
  const Key key = key_of(local, remote);
  // Datagrams to one peer follow each other, and a hash is dearer than a comparison.
  if (keys_[last_] == key) return &hops_[last_];
  const std::size_t first = set_of(key) * kWays;
  for (std::size_t i = first; i < first + kWays; ++i) {
    if (keys_[i] == key) return &hops_[last_ = i];
  }
  return nullptr;
}

NextHop* NextHopCache::put(const IpAddress& local, const IpAddress& remote, const NextHop& hop) {
  const Key key = key_of(local, remote);
  const std::size_t first = set_of(key) * kWays;
  std::size_t place = first + victim_++ % kWays;
  for (std::size_t i = first + kWays; i-- > first;) {
    if (keys_[i].remote_family == IpAddress::Family::kNone) place = i;
  }
  for (std::size_t i = first; i < first + kWays; ++i) {
    if (keys_[i] == key) place = i;
  }
  keys_[place] = key;
  hops_[place] = hop;
  return &hops_[place];
}

}  // namespace millrace::io
