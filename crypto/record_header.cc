// SPDX-License-Identifier: Apache-2.0
#include "crypto/record_header.h"

namespace millrace::crypto {

// RFC 6347 §4.1:
//    0                   1                   2                   3
//    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//   |     type      |            version            |    epoch      |
//   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//   |   epoch (2)   |              sequence number                  |
//   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//   |     sequence number (4..6)                    |    length     |
//   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//   |   length (2)  |  fragment ...
//   +-+-+-+-+-+-+-+-+-+-+-+-
std::optional<RecordView> RecordReader::next() {
  if (rest_.empty() || drop_reason_) return std::nullopt;
  const std::uint8_t* const p = rest_.data();
  const auto refuse = [this](DropReason reason) {
    drop_reason_ = reason;
    return std::nullopt;
  };
  if (rest_.size() < kRecordHeaderBytes) return refuse(DropReason::kMalformed);
  // 20 to 23, RFC 5246 §6.2.1; heartbeat and DTLS 1.3's headers are never agreed upon.
  if (p[0] < 20 || p[0] > 23) return refuse(DropReason::kUnexpectedType);
  RecordView record;
  record.header.type = static_cast<ContentType>(p[0]);
  record.header.version = load_be16(p + 1);
  // RFC 6347 §4.2.1: a ClientHello may come under the version of DTLS 1.0, 0xfeff.
  if (p[1] != kDtls12Version >> 8) return refuse(DropReason::kBadVersion);
  record.header.epoch = load_be16(p + 3);
  record.header.sequence = load_be48(p + 5);
  record.header.length = load_be16(p + 11);
  const std::size_t length = record.header.length;
  if (length > kMaxCiphertextBytes || length > rest_.size() - kRecordHeaderBytes) {
    return refuse(DropReason::kMalformed);
  }
  record.bytes = rest_.first(kRecordHeaderBytes + length);
  rest_ = rest_.subspan(kRecordHeaderBytes + length);
  return record;
}

}  // namespace millrace::crypto
