// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "engine/base/address.h"
#include "engine/base/bytes.h"
#include "engine/base/mac.h"

namespace millrace::ice {

inline constexpr std::size_t kStunHeaderBytes = 20;
inline constexpr std::uint32_t kStunMagicCookie = 0x2112A442;
inline constexpr std::uint16_t kBindingMethod = 1;

using TransactionId = std::array<std::uint8_t, 12>;

// 48 bits that tell a few transactions apart, of whatever part of its ids a peer varies.
inline std::uint64_t transaction_digest(const TransactionId& id) {
  return load_be48(&id[0]) ^ load_be48(&id[6]);
}

// StunAttribute lists the attribute types that the engine reads or writes (RFC 8489
// §14, RFC 8445 §16.1). Types below 0x8000 are comprehension-required.
enum class StunAttribute : std::uint16_t {
  kMappedAddress = 0x0001,
  kUsername = 0x0006,
  kMessageIntegrity = 0x0008,
  kErrorCode = 0x0009,
  kUnknownAttributes = 0x000A,
  kRealm = 0x0014,
  kNonce = 0x0015,
  kMessageIntegritySha256 = 0x001C,
  kPasswordAlgorithm = 0x001D,
  kUserhash = 0x001E,
  kXorMappedAddress = 0x0020,
  kPriority = 0x0024,
  kUseCandidate = 0x0025,
  kSoftware = 0x8022,
  kFingerprint = 0x8028,
  kIceControlled = 0x8029,
  kIceControlling = 0x802A,
};

enum class StunClass : std::uint8_t { kRequest = 0, kIndication = 1, kSuccess = 2, kError = 3 };

// Codes of ERROR-CODE (RFC 8489 §14.8, RFC 8445 §16.1, RFC 7675 §5.2).
inline constexpr int kErrorBadRequest = 400;
inline constexpr int kErrorUnauthenticated = 401;
inline constexpr int kErrorForbidden = 403;
inline constexpr int kErrorUnknownAttribute = 420;
inline constexpr int kErrorRoleConflict = 487;

// StunMessageView is a STUN message (RFC 8489 §5) in a datagram that holds it whole.
// It is valid as long as the datagram's bytes are.
//
//   0                   1                   2                   3
//   0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//  |0 0|     STUN Message Type     |         Message Length        |
//  |                         Magic Cookie                          |
//  |                     Transaction ID (96 bits)                  |
//  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//  |         Type                  |            Length             |
//  |                         Value (variable, padded to 32 bits)   |
//  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// Of an attribute that appears twice the first one counts. Attributes after
// MESSAGE-INTEGRITY are not looked at, FINGERPRINT excepted (RFC 8489 §14.5).
class StunMessageView {
 public:
  static constexpr std::size_t kMaxUnknown = 8;

  // Returns nothing if the bytes are not a well-formed STUN message: wrong length,
  // cookie or padding, an attribute beyond the end, a known attribute of a wrong
  // size, or a FINGERPRINT that is not last or does not match (RFC 8489 §7).
  // MESSAGE-INTEGRITY is not verified here: see `has_integrity`.
  static std::optional<StunMessageView> parse(ByteSpan datagram);

  // True if MESSAGE-INTEGRITY is present and was made with `key` (RFC 8489 §14.5).
  // Takes the same time wherever the digest differs.
  bool has_integrity(ByteSpan key, const Mac& mac) const;
  bool has_integrity(std::string_view key, const Mac& mac) const;

  StunClass message_class() const { return class_; }
  std::uint16_t method() const { return method_; }
  bool is_binding(StunClass wanted) const { return method_ == kBindingMethod && class_ == wanted; }
  const TransactionId& transaction_id() const { return transaction_id_; }
  ByteSpan bytes() const { return bytes_; }

  // The attributes that were present. `username` is empty where it was absent.
  std::string_view username() const { return username_; }
  std::string_view software() const { return software_; }
  bool has_message_integrity() const { return integrity_offset_ != 0; }
  bool has_fingerprint() const { return has_fingerprint_; }
  bool use_candidate() const { return use_candidate_; }
  std::optional<std::uint32_t> priority() const { return priority_; }
  // Tie-breakers of ICE-CONTROLLING and ICE-CONTROLLED.
  std::optional<std::uint64_t> controlling() const { return controlling_; }
  std::optional<std::uint64_t> controlled() const { return controlled_; }
  // From XOR-MAPPED-ADDRESS.
  std::optional<Address> mapped_address() const { return mapped_address_; }
  // 300 to 699, or 0 where ERROR-CODE was absent.
  int error_code() const { return error_code_; }

  // Comprehension-required types that this engine does not know, the first
  // `kMaxUnknown` of them (RFC 8489 §6.3.1).
  std::span<const std::uint16_t> unknown_required() const {
    return std::span(unknown_).first(unknown_count_);
  }

 private:
  StunMessageView() = default;
  bool parse_attributes();
  bool parse_attribute(std::uint16_t type, ByteSpan value, std::size_t offset);
  bool parse_plain_attribute(std::uint16_t type, ByteSpan value, std::size_t offset);
  bool parse_error_code(ByteSpan value);
  bool parse_fingerprint(ByteSpan value, std::size_t offset);

  ByteSpan bytes_;
  TransactionId transaction_id_{};
  std::string_view username_;
  std::string_view software_;
  std::optional<std::uint64_t> controlling_;
  std::optional<std::uint64_t> controlled_;
  std::optional<std::uint32_t> priority_;
  std::optional<Address> mapped_address_;
  std::array<std::uint16_t, kMaxUnknown> unknown_{};
  std::size_t unknown_count_ = 0;
  std::size_t integrity_offset_ = 0;  // Of the attribute's header; 0: absent.
  int error_code_ = 0;
  std::uint16_t method_ = 0;
  StunClass class_ = StunClass::kRequest;
  bool use_candidate_ = false;
  bool has_fingerprint_ = false;
  bool after_integrity_ = false;
};

// local_ufrag_of returns the receiver's own ufrag: what precedes the first colon of the
// USERNAME of a request sent to it (RFC 8445 §7.2.2). A server finds the session by
// it. Empty where there is none. A view into the message.
std::string_view local_ufrag_of(const StunMessageView& request);
// remote_ufrag_of returns the sender's, what follows the colon.
std::string_view remote_ufrag_of(const StunMessageView& request);

}  // namespace millrace::ice
