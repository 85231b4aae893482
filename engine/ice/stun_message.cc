// SPDX-License-Identifier: Apache-2.0
#include "engine/ice/stun_message.h"

#include <isa-l/crc.h>

#include <algorithm>

#include "engine/ice/stun_format.h"

namespace millrace::ice {
namespace {

constexpr std::size_t kMaxUsernameBytes = 2 * 256 + 1;
constexpr std::uint16_t kComprehensionOptional = 0x8000;
constexpr std::uint8_t kFamilyV4 = 1;
constexpr std::uint8_t kFamilyV6 = 2;

std::string_view as_text(ByteSpan bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// RFC 8489 §14.2. The key of the exclusive-or is the cookie and the transaction id, which
// lie back to back in the header. Nothing for an address family not known.
std::optional<Address> read_xor_address(ByteSpan value, const std::uint8_t* key) {
  Address address;
  address.port = static_cast<std::uint16_t>(load_be16(&value[2]) ^ load_be16(key));
  std::size_t ip_bytes = 0;
  if (value[1] == kFamilyV4 && value.size() == 8) {
    address.ip.family = IpAddress::Family::kV4;
    ip_bytes = 4;
  } else if (value[1] == kFamilyV6 && value.size() == 20) {
    address.ip.family = IpAddress::Family::kV6;
    ip_bytes = 16;
  } else {
    return std::nullopt;
  }
  for (std::size_t i = 0; i < ip_bytes; ++i) {
    address.ip.bytes[i] = static_cast<std::uint8_t>(value[4 + i] ^ key[i]);
  }
  return address;
}

bool is_xor_address_sound(ByteSpan value) {
  if (value.size() < 4) return false;
  if (value[1] == kFamilyV4) return value.size() == 8;
  if (value[1] == kFamilyV6) return value.size() == 20;
  return true;
}

}  // namespace

std::optional<StunMessageView> StunMessageView::parse(ByteSpan datagram) {
  if (datagram.size() < kStunHeaderBytes) return std::nullopt;
  const std::uint8_t* const p = datagram.data();
  const std::uint16_t type = load_be16(p);
  const std::size_t length = load_be16(p + 2);
  if ((type & 0xC000) != 0 || load_be32(p + 4) != kStunMagicCookie) return std::nullopt;
  if (length % 4 != 0 || length + kStunHeaderBytes != datagram.size()) return std::nullopt;

  StunMessageView view;
  view.bytes_ = datagram;
  // RFC 8489 §5: the class is bits 4 and 8 of the type, the method is the others.
  view.class_ = static_cast<StunClass>(((type >> 7) & 2) | ((type >> 4) & 1));
  view.method_ =
      static_cast<std::uint16_t>((type & 0x000F) | ((type & 0x00E0) >> 1) | ((type & 0x3E00) >> 2));
  std::copy_n(p + 8, view.transaction_id_.size(), view.transaction_id_.begin());
  if (!view.parse_attributes()) return std::nullopt;
  return view;
}

bool StunMessageView::parse_attributes() {
  std::size_t offset = kStunHeaderBytes;
  while (offset < bytes_.size()) {
    // The whole length and every step are multiples of 4, so a header always fits.
    const std::uint16_t type = load_be16(&bytes_[offset]);
    const std::size_t length = load_be16(&bytes_[offset + 2]);
    const std::size_t value_at = offset + kAttributeHeaderBytes;
    if (padded(length) > bytes_.size() - value_at) return false;
    if (!parse_attribute(type, bytes_.subspan(value_at, length), offset)) return false;
    offset = value_at + padded(length);
  }
  return true;
}

bool StunMessageView::parse_attribute(std::uint16_t type, ByteSpan value, std::size_t offset) {
  if (type == static_cast<std::uint16_t>(StunAttribute::kFingerprint)) {
    return parse_fingerprint(value, offset);
  }
  // RFC 8489 §14.5: what follows MESSAGE-INTEGRITY is not covered by it.
  if (after_integrity_) return true;
  return parse_plain_attribute(type, value, offset);
}

bool StunMessageView::parse_plain_attribute(std::uint16_t type, ByteSpan value,
                                            std::size_t offset) {
  switch (static_cast<StunAttribute>(type)) {
    case StunAttribute::kMessageIntegrity:
      if (value.size() != kIntegrityBytes) return false;
      integrity_offset_ = offset;
      after_integrity_ = true;
      return true;
    case StunAttribute::kMessageIntegritySha256:
      after_integrity_ = true;
      return true;
    case StunAttribute::kUsername:
      if (value.empty() || value.size() > kMaxUsernameBytes) return false;
      if (username_.empty()) username_ = as_text(value);
      return true;
    case StunAttribute::kSoftware:
      if (software_.empty()) software_ = as_text(value);
      return true;
    case StunAttribute::kPriority:
      if (value.size() != 4) return false;
      if (!priority_) priority_ = load_be32(value.data());
      return true;
    case StunAttribute::kUseCandidate:
      if (!value.empty()) return false;
      use_candidate_ = true;
      return true;
    case StunAttribute::kIceControlled:
      if (value.size() != 8) return false;
      if (!controlled_) controlled_ = load_be64(value.data());
      return true;
    case StunAttribute::kIceControlling:
      if (value.size() != 8) return false;
      if (!controlling_) controlling_ = load_be64(value.data());
      return true;
    case StunAttribute::kXorMappedAddress:
      if (!is_xor_address_sound(value)) return false;
      if (!mapped_address_) mapped_address_ = read_xor_address(value, &bytes_[4]);
      return true;
    case StunAttribute::kErrorCode:
      return parse_error_code(value);
    case StunAttribute::kMappedAddress:
    case StunAttribute::kUnknownAttributes:
    case StunAttribute::kRealm:
    case StunAttribute::kNonce:
    case StunAttribute::kPasswordAlgorithm:
    case StunAttribute::kUserhash:
    case StunAttribute::kFingerprint:
      return true;
  }
  if (type < kComprehensionOptional && unknown_count_ < kMaxUnknown) {
    unknown_[unknown_count_++] = type;
  }
  return true;
}

bool StunMessageView::parse_error_code(ByteSpan value) {
  // RFC 8489 §14.8: the hundreds digit in three bits, then the rest.
  if (value.size() < 4) return false;
  const int hundreds = value[2] & 7;
  if (hundreds < 3 || hundreds > 6 || value[3] > 99) return false;
  if (error_code_ == 0) error_code_ = 100 * hundreds + value[3];
  return true;
}

bool StunMessageView::parse_fingerprint(ByteSpan value, std::size_t offset) {
  // RFC 8489 §14.7: the last attribute, over all that precedes it.
  if (value.size() != 4 || offset + kAttributeHeaderBytes + 4 != bytes_.size()) return false;
  const std::uint32_t crc = ::crc32_gzip_refl(0, bytes_.data(), offset);
  if (load_be32(value.data()) != (crc ^ kFingerprintXor)) return false;
  has_fingerprint_ = true;
  return true;
}

bool StunMessageView::has_integrity(ByteSpan key, const Mac& mac) const {
  if (integrity_offset_ == 0) return false;
  // RFC 8489 §14.5: the length field counts up to the end of MESSAGE-INTEGRITY, whatever
  // comes after it.
  std::array<std::uint8_t, kStunHeaderBytes> header;
  std::copy_n(bytes_.begin(), header.size(), header.begin());
  const std::size_t end = integrity_offset_ + kAttributeHeaderBytes + kIntegrityBytes;
  store_be16(&header[2], static_cast<std::uint16_t>(end - kStunHeaderBytes));
  const Sha1Digest digest = mac.hmac_sha1(
      key, header, bytes_.subspan(kStunHeaderBytes, integrity_offset_ - kStunHeaderBytes));
  return equal_in_constant_time(
      digest, bytes_.subspan(integrity_offset_ + kAttributeHeaderBytes, kIntegrityBytes));
}

bool StunMessageView::has_integrity(std::string_view key, const Mac& mac) const {
  return has_integrity(as_bytes(key), mac);
}

std::string_view local_ufrag_of(const StunMessageView& request) {
  const std::string_view name = request.username();
  const std::size_t colon = name.find(':');
  return colon == std::string_view::npos ? std::string_view() : name.substr(0, colon);
}

std::string_view remote_ufrag_of(const StunMessageView& request) {
  const std::string_view name = request.username();
  const std::size_t colon = name.find(':');
  return colon == std::string_view::npos ? std::string_view() : name.substr(colon + 1);
}

}  // namespace millrace::ice
