// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "engine/base/address.h"
#include "engine/base/bytes.h"
#include "io/net/net_stats.h"

namespace millrace::io {

// Checksum is what the device says of a checksum.
enum class Checksum : std::uint8_t {
  kUnknown,  // Nothing: it is verified here.
  kGood,
  kBad,
  // It need not be right, for the frame has met no wire: beside the right one, UDP's field may
  // hold the sum of the pseudo-header, where its sender left the rest to a device.
  kUnfinished,
};

// RxFlags are what the device knows of a received frame.
struct RxFlags {
  Checksum ip = Checksum::kUnknown;
  Checksum l4 = Checksum::kUnknown;
  // The tag that the device has taken out of the frame; the id is in its low 12 bits.
  std::optional<std::uint16_t> stripped_vlan = std::nullopt;
  // A copy of a frame that another layer with the same address took in: it is learnt from,
  // and not answered.
  bool second_hand = false;
};

enum class RxVerdict : std::uint8_t {
  kDatagram,  // `payload`, `source`, `local`, `tos` are set.
  kReply,     // `reply_bytes` of the caller's buffer are a frame to send.
  kHandled,   // Nothing to do.
  kPathMtu,   // `path_mtu` is set.
  kDropped,   // Counted under `drop`.
};

// PathMtu is a router's word that a packet to `remote` was too large (RFC 792 type 3 code 4,
// RFC 4443 §3.2), checked as far as can be: it quotes a UDP packet from the address of ours that
// it is sent to, with lengths that agree. It is a hint, not a fact, for anyone can forge it
// (RFC 8899 §4.6.1).
struct PathMtu {
  Address local;
  Address remote;
  std::uint32_t mtu = 0;  // IP packet; 0 where an old router did not say.
  std::size_t bytes = 0;  // UDP payload of what was too large.
  std::size_t limit = 0;  // UDP payload that `mtu` has room for; 0: not said.
  ByteSpan payload;       // Of what was too large, as far as it is quoted; within the frame.
};

// RxFrame is what became of one frame. The verdict says which fields are set.
struct RxFrame {
  MutableByteSpan payload;  // Within the frame, as long as that lives.
  Address source;
  Address local;
  std::uint8_t tos = 0;  // The low two bits are ECN.
  NetDrop drop = NetDrop::kCount;
  // It tells of a neighbour, and is for us or of one that we have in our table: other layers
  // with the same address should see it, second-hand, whatever the verdict here.
  bool concerns_all = false;
  std::size_t reply_bytes = 0;
  PathMtu path_mtu;
};

}  // namespace millrace::io
