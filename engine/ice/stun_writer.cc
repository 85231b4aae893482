// SPDX-License-Identifier: Apache-2.0
#include "engine/ice/stun_writer.h"

#include <isa-l/crc.h>

#include <algorithm>
#include <cstring>

#include "engine/base/check.h"
#include "engine/ice/stun_format.h"

namespace millrace::ice {
namespace {

std::string_view reason_of(int code) {
  switch (code) {
    case kErrorBadRequest:
      return "Bad Request";
    case kErrorUnauthenticated:
      return "Unauthenticated";
    case kErrorForbidden:
      return "Forbidden";
    case kErrorUnknownAttribute:
      return "Unknown Attribute";
    case kErrorRoleConflict:
      return "Role Conflict";
    default:
      return "Error";
  }
}

}  // namespace

StunWriter::StunWriter(MutableByteSpan out, StunClass message_class, const TransactionId& id)
    : out_(out) {
  if (out_.size() < kStunHeaderBytes) {
    overflow_ = true;
    return;
  }
  const unsigned bits = static_cast<unsigned>(message_class);
  store_be16(out_.data(),
             static_cast<std::uint16_t>(kBindingMethod | ((bits & 2) << 7) | ((bits & 1) << 4)));
  store_be32(&out_[4], kStunMagicCookie);
  std::copy(id.begin(), id.end(), &out_[8]);
  size_ = kStunHeaderBytes;
  set_length();
}

std::uint8_t* StunWriter::reserve(StunAttribute type, std::size_t value_bytes) {
  const std::size_t need = kAttributeHeaderBytes + padded(value_bytes);
  if (overflow_ || value_bytes > UINT16_MAX - kAttributeHeaderBytes || need > out_.size() - size_) {
    overflow_ = true;
    return nullptr;
  }
  std::uint8_t* const p = &out_[size_];
  // Zero padding; RFC 8489 §14 leaves its value open.
  std::fill_n(p, need, std::uint8_t{0});
  store_be16(p, static_cast<std::uint16_t>(type));
  store_be16(p + 2, static_cast<std::uint16_t>(value_bytes));
  size_ += need;
  set_length();
  return p + kAttributeHeaderBytes;
}

void StunWriter::set_length() {
  store_be16(&out_[2], static_cast<std::uint16_t>(size_ - kStunHeaderBytes));
}

void StunWriter::add(StunAttribute type, ByteSpan value) {
  std::uint8_t* const p = reserve(type, value.size());
  if (p != nullptr) std::copy(value.begin(), value.end(), p);
}

void StunWriter::add_text(StunAttribute type, std::string_view value) {
  add(type, as_bytes(value));
}

void StunWriter::add_username(std::string_view receiver_ufrag, std::string_view sender_ufrag) {
  std::uint8_t* const p =
      reserve(StunAttribute::kUsername, receiver_ufrag.size() + 1 + sender_ufrag.size());
  if (p == nullptr) return;
  std::uint8_t* const colon = std::copy(receiver_ufrag.begin(), receiver_ufrag.end(), p);
  *colon = ':';
  std::copy(sender_ufrag.begin(), sender_ufrag.end(), colon + 1);
}

void StunWriter::add_u32(StunAttribute type, std::uint32_t value) {
  std::uint8_t* const p = reserve(type, 4);
  if (p != nullptr) store_be32(p, value);
}

void StunWriter::add_u64(StunAttribute type, std::uint64_t value) {
  std::uint8_t* const p = reserve(type, 8);
  if (p != nullptr) store_be64(p, value);
}

void StunWriter::add_xor_mapped_address(const Address& address) {
  const std::size_t ip_bytes = address.ip.is_v6() ? 16 : 4;
  std::uint8_t* const p = reserve(StunAttribute::kXorMappedAddress, 4 + ip_bytes);
  if (p == nullptr) return;
  // RFC 8489 §14.2: masked by the cookie and the transaction id, which are adjacent.
  const std::uint8_t* const key = &out_[4];
  p[1] = address.ip.is_v6() ? 2 : 1;
  store_be16(p + 2, static_cast<std::uint16_t>(address.port ^ load_be16(key)));
  for (std::size_t i = 0; i < ip_bytes; ++i) {
    p[4 + i] = static_cast<std::uint8_t>(address.ip.bytes[i] ^ key[i]);
  }
}

void StunWriter::add_error_code(int code, std::string_view reason) {
  DCHECK(code >= 300 && code <= 699);
  std::uint8_t* const p = reserve(StunAttribute::kErrorCode, 4 + reason.size());
  if (p == nullptr) return;
  p[2] = static_cast<std::uint8_t>(code / 100);
  p[3] = static_cast<std::uint8_t>(code % 100);
  std::copy(reason.begin(), reason.end(), p + 4);
}

void StunWriter::add_unknown_attributes(std::span<const std::uint16_t> types) {
  std::uint8_t* p = reserve(StunAttribute::kUnknownAttributes, 2 * types.size());
  if (p == nullptr) return;
  for (const std::uint16_t type : types) {
    store_be16(p, type);
    p += 2;
  }
}

void StunWriter::add_message_integrity(std::string_view key, const Mac& mac) {
  const std::size_t covered = size_;
  std::uint8_t* const p = reserve(StunAttribute::kMessageIntegrity, kIntegrityBytes);
  if (p == nullptr) return;
  // The length field counts this attribute by now, as RFC 8489 §14.5 wants.
  const Sha1Digest digest = mac.hmac_sha1(as_bytes(key), out_.first(covered), {});
  std::copy(digest.begin(), digest.end(), p);
}

std::size_t StunWriter::finish() {
  const std::size_t covered = size_;
  std::uint8_t* const p = reserve(StunAttribute::kFingerprint, 4);
  if (p == nullptr) return 0;
  store_be32(p, ::crc32_gzip_refl(0, out_.data(), covered) ^ kFingerprintXor);
  return size_;
}

std::size_t build_binding_request(const BindingRequest& request, std::string_view key,
                                  const Mac& mac, MutableByteSpan out) {
  StunWriter writer(out, StunClass::kRequest, request.id);
  writer.add_username(request.remote_ufrag, request.local_ufrag);
  writer.add_u32(StunAttribute::kPriority, request.priority);
  writer.add_u64(
      request.controlling ? StunAttribute::kIceControlling : StunAttribute::kIceControlled,
      request.tie_breaker);
  if (request.use_candidate) writer.add_flag(StunAttribute::kUseCandidate);
  writer.add_message_integrity(key, mac);
  return writer.finish();
}

std::size_t build_binding_success(const TransactionId& id, const Address& mapped,
                                  std::string_view key, const Mac& mac, MutableByteSpan out) {
  StunWriter writer(out, StunClass::kSuccess, id);
  writer.add_xor_mapped_address(mapped);
  writer.add_message_integrity(key, mac);
  return writer.finish();
}

std::size_t build_binding_error(const TransactionId& id, int code,
                                std::span<const std::uint16_t> unknown, std::string_view key,
                                const Mac& mac, MutableByteSpan out) {
  StunWriter writer(out, StunClass::kError, id);
  writer.add_error_code(code, reason_of(code));
  if (code == kErrorUnknownAttribute) writer.add_unknown_attributes(unknown);
  if (!key.empty()) writer.add_message_integrity(key, mac);
  return writer.finish();
}

}  // namespace millrace::ice
