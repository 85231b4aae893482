// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "engine/base/bytes.h"

namespace millrace::sctp {

// DcepMessageType is the first byte of a DCEP message (RFC 8832 §8.2.1).
enum class DcepMessageType : std::uint8_t { kAck = 0x02, kOpen = 0x03 };

// ChannelReliability is a data channel's service: at most one of the limits is set.
struct ChannelReliability {
  bool ordered = true;
  std::optional<std::uint32_t> max_retransmits = {};
  std::optional<std::uint32_t> max_packet_life_time_ms = {};
  friend bool operator==(const ChannelReliability&, const ChannelReliability&) = default;
};

//  0                   1                   2                   3
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// | Message Type=3|  Channel Type |            Priority           |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |                    Reliability Parameter                      |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |         Label Length          |       Protocol Length         |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// \                             Label                             /
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// \                            Protocol                           /
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// OpenMessage is DATA_CHANNEL_OPEN (RFC 8832 §5.1), received (then the strings point
// into the message) or to be sent.
struct OpenMessage {
  static constexpr std::size_t kFixedBytes = 12;
  static constexpr std::size_t kMaxStringBytes = 0xFFFF;
  static constexpr std::size_t kMaxBytes = kFixedBytes + 2 * kMaxStringBytes;

  ChannelReliability reliability;
  std::uint16_t priority = 0;
  std::string_view label;
  std::string_view protocol;

  // Returns nothing for an unknown channel type, lengths that do not add up exactly, and
  // strings that are not UTF-8.
  static std::optional<OpenMessage> parse(ByteSpan message);
  std::size_t size() const { return kFixedBytes + label.size() + protocol.size(); }
  // `out` has size() bytes; neither string is longer than kMaxStringBytes.
  void write(MutableByteSpan out) const;
};

// AckMessage is DATA_CHANNEL_ACK (RFC 8832 §5.2): the message type and nothing else. Bytes
// behind it are tolerated, for pion sends three of them.
struct AckMessage {
  static constexpr std::uint8_t kBytes[] = {static_cast<std::uint8_t>(DcepMessageType::kAck)};
  static bool parse(ByteSpan message) { return !message.empty() && message[0] == kBytes[0]; }
};

// is_utf8 says whether `text` is well-formed (RFC 3629: shortest forms, no surrogates).
bool is_utf8(std::string_view text);

}  // namespace millrace::sctp
