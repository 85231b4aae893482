// SPDX-License-Identifier: Apache-2.0
#include "sctp/dcep/dcep_message.h"

#include <algorithm>

namespace millrace::sctp {
namespace {

// RFC 8832 §5.1, §8.2.2: the high bit is "unordered", the rest the kind of reliability.
constexpr std::uint8_t kUnorderedBit = 0x80;
constexpr std::uint8_t kReliable = 0x00;
constexpr std::uint8_t kLimitedRetransmits = 0x01;
constexpr std::uint8_t kLimitedLifetime = 0x02;

std::string_view as_text(ByteSpan bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

void store_text(MutableByteSpan out, std::string_view text) {
  std::ranges::transform(text, out.begin(), [](char c) { return static_cast<std::uint8_t>(c); });
}

std::optional<ChannelReliability> parse_reliability(std::uint8_t type, std::uint32_t parameter) {
  ChannelReliability reliability{
      .ordered = (type & kUnorderedBit) == 0, .max_retransmits = {}, .max_packet_life_time_ms = {}};
  switch (type & ~kUnorderedBit) {
    case kReliable:  // The parameter is ignored.
      return reliability;
    case kLimitedRetransmits:
      reliability.max_retransmits = parameter;
      return reliability;
    case kLimitedLifetime:
      reliability.max_packet_life_time_ms = parameter;
      return reliability;
    default:
      return std::nullopt;
  }
}

}  // namespace

std::optional<OpenMessage> OpenMessage::parse(ByteSpan message) {
  if (message.size() < kFixedBytes) return std::nullopt;
  const std::uint8_t* const p = message.data();
  if (p[0] != static_cast<std::uint8_t>(DcepMessageType::kOpen)) return std::nullopt;
  const std::optional<ChannelReliability> reliability = parse_reliability(p[1], load_be32(p + 4));
  const std::size_t label_bytes = load_be16(p + 8);
  const std::size_t protocol_bytes = load_be16(p + 10);
  if (!reliability || message.size() != kFixedBytes + label_bytes + protocol_bytes) {
    return std::nullopt;
  }
  const OpenMessage open{*reliability, load_be16(p + 2),
                         as_text(message.subspan(kFixedBytes, label_bytes)),
                         as_text(message.subspan(kFixedBytes + label_bytes))};
  if (!is_utf8(open.label) || !is_utf8(open.protocol)) return std::nullopt;
  return open;
}

void OpenMessage::write(MutableByteSpan out) const {
  CHECK(out.size() == size() && label.size() <= kMaxStringBytes &&
        protocol.size() <= kMaxStringBytes);
  const std::uint8_t kind = reliability.max_retransmits           ? kLimitedRetransmits
                            : reliability.max_packet_life_time_ms ? kLimitedLifetime
                                                                  : kReliable;
  out[0] = static_cast<std::uint8_t>(DcepMessageType::kOpen);
  out[1] = static_cast<std::uint8_t>(kind | (reliability.ordered ? 0 : kUnorderedBit));
  store_be16(&out[2], priority);
  store_be32(&out[4],
             reliability.max_retransmits.value_or(reliability.max_packet_life_time_ms.value_or(0)));
  store_be16(&out[8], static_cast<std::uint16_t>(label.size()));
  store_be16(&out[10], static_cast<std::uint16_t>(protocol.size()));
  store_text(out.subspan(kFixedBytes, label.size()), label);
  store_text(out.subspan(kFixedBytes + label.size()), protocol);
}

bool is_utf8(std::string_view text) {
  struct Form {
    std::uint8_t lead_mask;
    std::uint8_t lead;
    std::uint32_t least;  // Anything below has a shorter form.
  };
  constexpr Form kForms[] = {{0xE0, 0xC0, 0x80}, {0xF0, 0xE0, 0x800}, {0xF8, 0xF0, 0x10000}};
  std::size_t i = 0;
  while (i < text.size()) {
    const auto lead = static_cast<std::uint8_t>(text[i++]);
    if (lead < 0x80) continue;
    std::size_t following = 0;
    while (following < 3 && (lead & kForms[following].lead_mask) != kForms[following].lead) {
      ++following;
    }
    if (following == 3) return false;
    const Form& form = kForms[following];
    std::uint32_t code = lead & static_cast<std::uint8_t>(~form.lead_mask);
    for (std::size_t k = 0; k <= following; ++k, ++i) {
      if (i == text.size()) return false;
      const auto byte = static_cast<std::uint8_t>(text[i]);
      if ((byte & 0xC0) != 0x80) return false;
      code = (code << 6) | (byte & 0x3Fu);
    }
    const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
    if (code < form.least || code > 0x10FFFF || surrogate) return false;
  }
  return true;
}

}  // namespace millrace::sctp
