// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "engine/base/address.h"
#include "engine/base/bytes.h"

namespace millrace::io {

// RssSetUp is how a device spreads UDP over its queues, as it tells.
struct RssSetUp {
  std::vector<std::uint8_t> key;     // Of the Toeplitz hash.
  std::vector<std::uint16_t> table;  // Redirection: queues, by the low bits of the hash.
  bool udp_v4 = false;               // Addresses and ports of UDP over IPv4 are hashed.
  bool udp_v6 = false;
};

// RssMap says which queue a device puts a UDP datagram on: the redirection table's entry at the
// low bits of its hash (rss_hash.h).
class RssMap {
 public:
  // Nothing, where the queue cannot be foretold: no table, one whose size is no power of two, a
  // key that is too short for what is hashed.
  static std::optional<RssMap> make(RssSetUp set_up);

  // The queue of a datagram from `source` to `destination`; none where they are not of one family,
  // or the device does not hash the ports of that.
  std::optional<std::uint16_t> queue_of(const Address& source, const Address& destination) const;

 private:
  explicit RssMap(RssSetUp set_up) : set_up_(std::move(set_up)) {}

  RssSetUp set_up_;
};

}  // namespace millrace::io
