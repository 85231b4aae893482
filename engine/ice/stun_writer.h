// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "engine/base/address.h"
#include "engine/base/bytes.h"
#include "engine/base/mac.h"
#include "engine/ice/stun_message.h"

namespace millrace::ice {

// Room for any message that the functions below build, with user names of the greatest
// length that `Credentials` allows: 20 + (4 + 516) + 8 + 4 + 12 + 24 + 8, rounded up.
inline constexpr std::size_t kMaxStunBytes = 640;

// StunWriter writes one STUN message into a span of the caller's. A message that does
// not fit makes `finish` return 0; no write goes past the span.
class StunWriter {
 public:
  StunWriter(MutableByteSpan out, StunClass message_class, const TransactionId& id);

  void add(StunAttribute type, ByteSpan value);
  void add_text(StunAttribute type, std::string_view value);
  // "receiver:sender", as a check names the two (RFC 8445 §7.2.2).
  void add_username(std::string_view receiver_ufrag, std::string_view sender_ufrag);
  void add_flag(StunAttribute type) { add(type, {}); }
  void add_u32(StunAttribute type, std::uint32_t value);
  void add_u64(StunAttribute type, std::uint64_t value);
  void add_xor_mapped_address(const Address& address);
  void add_error_code(int code, std::string_view reason);
  void add_unknown_attributes(std::span<const std::uint16_t> types);
  // Must precede `finish`, with nothing added after it (RFC 8489 §14.5).
  void add_message_integrity(std::string_view key, const Mac& mac);
  // Appends FINGERPRINT; returns the message's length, 0 if it did not fit.
  std::size_t finish();

 private:
  std::uint8_t* reserve(StunAttribute type, std::size_t value_bytes);
  void set_length();

  MutableByteSpan out_;
  std::size_t size_ = 0;
  bool overflow_ = false;
};

// BindingRequest holds what a connectivity check carries (RFC 8445 §7.2.2).
struct BindingRequest {
  TransactionId id{};
  std::string_view remote_ufrag;  // USERNAME is "remote_ufrag:local_ufrag".
  std::string_view local_ufrag;
  std::uint32_t priority = 0;
  std::uint64_t tie_breaker = 0;
  bool controlling = true;
  bool use_candidate = false;
};

// Each returns the bytes written, 0 where `out` is too small. `key` is the password of
// the agent that the request was or will be sent to. Same arguments, same bytes.
std::size_t build_binding_request(const BindingRequest& request, std::string_view key,
                                  const Mac& mac, MutableByteSpan out);
std::size_t build_binding_success(const TransactionId& id, const Address& mapped,
                                  std::string_view key, const Mac& mac, MutableByteSpan out);
// An empty `key` leaves MESSAGE-INTEGRITY out, as for 400 and 401 (RFC 8489 §9.1.3).
std::size_t build_binding_error(const TransactionId& id, int code,
                                std::span<const std::uint16_t> unknown, std::string_view key,
                                const Mac& mac, MutableByteSpan out);

}  // namespace millrace::ice
