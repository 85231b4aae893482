// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "crypto/dtls_counters.h"
#include "engine/base/bytes.h"

namespace millrace::crypto {

// ContentType of a record, RFC 5246 §6.2.1.
enum class ContentType : std::uint8_t {
  kChangeCipherSpec = 20,
  kAlert = 21,
  kHandshake = 22,
  kApplicationData = 23,
};

// RFC 6347 §4.1.
inline constexpr std::size_t kRecordHeaderBytes = 13;
inline constexpr std::uint16_t kDtls12Version = 0xfefd;
inline constexpr std::uint64_t kMaxSequence = (std::uint64_t{1} << 48) - 1;
// RFC 5246 §6.2.3: TLSCiphertext.length; §6.2.1: TLSPlaintext.length.
inline constexpr std::size_t kMaxCiphertextBytes = (1 << 14) + 2048;
inline constexpr std::size_t kMaxPlaintextBytes = 1 << 14;

// RecordHeader is the header of a DTLS 1.2 record in host byte order.
struct RecordHeader {
  ContentType type = ContentType::kApplicationData;
  std::uint16_t version = kDtls12Version;
  std::uint16_t epoch = 0;
  std::uint64_t sequence = 0;  // 48 bits.
  std::uint16_t length = 0;    // Of what follows the header.
};

// RecordView is one record within a datagram. `bytes` includes the header and is valid
// as long as the datagram.
struct RecordView {
  RecordHeader header;
  MutableByteSpan bytes;
};

// RecordReader splits a datagram into its records (RFC 6347 §4.1.1: several may share
// one). It authenticates nothing. After `next` has returned nothing, `drop_reason` tells
// whether the rest was malformed or the datagram simply came to its end.
class RecordReader {
 public:
  explicit RecordReader(MutableByteSpan datagram) : rest_(datagram) {}

  std::optional<RecordView> next();
  std::optional<DropReason> drop_reason() const { return drop_reason_; }

 private:
  MutableByteSpan rest_;
  std::optional<DropReason> drop_reason_;
};

}  // namespace millrace::crypto
