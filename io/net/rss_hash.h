// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>

#include "engine/base/address.h"
#include "engine/base/bytes.h"

namespace millrace::io {

// Receive side scaling: a device chooses the queue of a packet by the Toeplitz hash of its
// addresses and ports (Microsoft, "Verifying the RSS Hash Calculation").

inline constexpr std::size_t kRssKeyBytes = 52;  // Devices take 40 or 52; use a prefix.

// symmetric_rss_key is 0x6d5a repeated: both directions of a conversation have one hash, for
// the key looks alike from every 16th bit on (Woo and Park, 2012).
constexpr std::array<std::uint8_t, kRssKeyBytes> symmetric_rss_key() {
  std::array<std::uint8_t, kRssKeyBytes> key{};
  for (std::size_t i = 0; i < key.size(); ++i) key[i] = i % 2 == 0 ? 0x6d : 0x5a;
  return key;
}

// toeplitz_hash is the hash of `input` with `key`, which is at least 4 bytes longer.
std::uint32_t toeplitz_hash(ByteSpan key, ByteSpan input);

// rss_hash is the hash of a UDP packet from `source` to `destination`, of one family:
// addresses first, then ports, in the order of the wire.
std::uint32_t rss_hash(ByteSpan key, const Address& source, const Address& destination);

// rss_queue is the queue that such a hash leads to where the device's redirection table has
// `table_size` entries (a power of two) that name `queues` queues by turns.
constexpr std::uint16_t rss_queue(std::uint32_t hash, std::uint32_t table_size,
                                  std::uint16_t queues) {
  return static_cast<std::uint16_t>((hash & (table_size - 1)) % queues);
}

}  // namespace millrace::io
