// SPDX-License-Identifier: Apache-2.0
#pragma once

// Blocks of the pcapng format (draft-ietf-opsawg-pcapng), little-endian, for raw IP packets
// with time stamps in nanoseconds. UDP payloads are given headers made from their addresses:
// the kernel keeps the real ones to itself.

#include <cstdint>
#include <string_view>
#include <vector>

#include "engine/base/address.h"
#include "engine/base/bytes.h"

namespace millrace::engine::pcapng {

using Buffer = std::vector<std::uint8_t>;

inline constexpr std::uint16_t kLinkTypeRaw = 101;

// Packet is one UDP datagram. Addresses are of one family.
struct Packet {
  std::uint64_t unix_ns = 0;
  bool outbound = false;
  Address source;
  Address destination;
  ByteSpan payload;
};

// Each appends one whole block to `out`.
void append_section_header(Buffer& out, std::string_view application);
void append_interface(Buffer& out, std::string_view name);
void append_packet(Buffer& out, const Packet& packet);
// A Decryption Secrets Block with lines of an NSS key log. It stands ahead of what it opens.
void append_secrets(Buffer& out, std::string_view key_log);
void append_statistics(Buffer& out, std::uint64_t unix_ns, std::uint64_t received,
                       std::uint64_t dropped);

}  // namespace millrace::engine::pcapng
