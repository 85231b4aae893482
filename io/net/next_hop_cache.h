// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/base/address.h"
#include "engine/base/rng.h"
#include "engine/base/siphash.h"
#include "io/net/next_hop.h"

namespace millrace::io {

// NextHopCache keeps the NextHops of pairs of addresses. It is a cache of four ways: what
// finds no room takes the place of another, which is made anew when it is wanted. The hash
// is keyed, for peers choose addresses.
class NextHopCache {
 public:
  // Room for `capacity` at least, one or more.
  NextHopCache(std::size_t capacity, Rng& rng);

  // The entry of the pair, or null. Scopes of addresses are not looked at.
  NextHop* find(const IpAddress& local, const IpAddress& remote);
  // Puts `hop` where the last `find` found nothing for the pair, or in its own place.
  NextHop* put(const IpAddress& local, const IpAddress& remote, const NextHop& hop);

 private:
  static constexpr std::size_t kWays = 4;
  struct Key {
    std::array<std::uint64_t, 2> local{};
    std::array<std::uint64_t, 2> remote{};
    IpAddress::Family local_family = IpAddress::Family::kNone;
    IpAddress::Family remote_family = IpAddress::Family::kNone;
    friend bool operator==(const Key& a, const Key& b) {
      return a.local[0] == b.local[0] && a.local[1] == b.local[1] && a.remote[0] == b.remote[0] &&
             a.remote[1] == b.remote[1] && a.local_family == b.local_family &&
             a.remote_family == b.remote_family;
    }
  };

  static Key key_of(const IpAddress& local, const IpAddress& remote);
  std::size_t set_of(const Key& key) const;

  SipKey secret_;
  std::vector<Key> keys_;  // kWays of each set side by side.
  std::vector<NextHop> hops_;
  std::size_t sets_;  // A power of two.
  std::size_t victim_ = 0;
  std::size_t last_ = 0;  // What was found last.
};

}  // namespace millrace::io
