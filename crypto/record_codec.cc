// SPDX-License-Identifier: Apache-2.0
#include "crypto/record_codec.h"

#include <array>

#include "crypto/aead_ops.h"
#include "engine/base/check.h"

namespace millrace::crypto {
namespace {

// Block is 16 bytes, given as two big-endian numbers and kept as one value: a single store writes
// it. The AEAD's first load is as wide, and one that spans several stores waits until all stores
// before them, the record's own among them, have reached the cache.
class Block {
 public:
  Block(std::uint64_t first, std::uint64_t second)
      : words_{__builtin_bswap64(first), __builtin_bswap64(second)} {}
  const std::uint8_t* data() const { return reinterpret_cast<const std::uint8_t*>(&words_); }

 private:
  std::uint64_t words_ __attribute__((vector_size(16)));
};

using Iv = std::array<std::uint8_t, 12>;
constexpr std::size_t kAdditionalBytes = 13;

// Four bytes of the IV and eight more.
Block nonce_with(const Iv& iv, std::uint64_t tail) {
  return {std::uint64_t{load_be32(iv.data())} << 32 | tail >> 32, tail << 32};
}

// RFC 5246 §6.2.3.3: epoch and sequence, type, version, length of the plaintext; what comes
// behind these kAdditionalBytes is not looked at.
Block additional_data(const std::uint8_t* record, std::uint64_t number, std::size_t bytes) {
  return {number, std::uint64_t{record[0]} << 56 | std::uint64_t{record[1]} << 48 |
                      std::uint64_t{record[2]} << 40 | std::uint64_t{bytes & 0xffff} << 24};
}

}  // namespace

// RecordCodec works on the inside of RecordKeys, for this file alone.
class RecordCodec {
 public:
  static std::uint32_t seal(const SealJob& job);
  static OpenVerdict open(OpenJob& job);

 private:
  // Both suites without an explicit part on the wire and those with one end here.
  static Block nonce_of(const RecordKeys& keys, const Iv& iv, const std::uint8_t* record,
                        std::uint64_t number) {
    // RFC 7905 §2: the IV, its last eight bytes xored with epoch and sequence.
    if (keys.header_bytes_ == kRecordHeaderBytes) {
      return nonce_with(iv, load_be64(iv.data() + 4) ^ number);
    }
    // RFC 5288 §3: salt and explicit part. RFC 6347 §4.1.2.1 calls epoch and sequence one 64-bit
    // number; as the explicit part it never repeats.
    return nonce_with(iv, load_be64(record + kRecordHeaderBytes));
  }
};

std::uint32_t RecordCodec::seal(const SealJob& job) {
  RecordKeys& keys = *job.keys;
  if (keys.ops_ == nullptr || keys.worn_out()) return 0;
  const std::size_t bytes = job.plaintext_length;
  CHECK(bytes <= kMaxPlaintextBytes);
  const std::size_t body = keys.header_bytes_ - kRecordHeaderBytes + bytes + kAeadTagBytes;
  const std::uint64_t number = std::uint64_t{keys.epoch_} << 48 | keys.write_sequence_++;
  std::uint8_t* const record = job.record;
  record[0] = static_cast<std::uint8_t>(job.type);
  store_be16(record + 1, kDtls12Version);
  store_be64(record + 3, number);
  store_be16(record + 11, static_cast<std::uint16_t>(body));
  if (keys.header_bytes_ != kRecordHeaderBytes) store_be64(record + kRecordHeaderBytes, number);
  const Block aad = additional_data(record, number, bytes);
  const Block nonce = nonce_of(keys, keys.write_iv_, record, number);
  std::uint8_t* const data = record + keys.header_bytes_;
  if (job.lent.empty()) {
    keys.ops_->seal(keys.write_material_.data(), nonce.data(), aad.data(), kAdditionalBytes, data,
                    bytes);
  } else {
    CHECK(keys.takes_lent_ && job.lent.end() <= bytes &&
          (job.lent.at | job.lent.size) % LentBytes::kGrain == 0);
    keys.ops_->seal_around(keys.write_material_.data(), nonce.data(), aad.data(), kAdditionalBytes,
                           data, bytes, job.lent);
  }
  if (keys.suite_ != CipherSuite::kChaCha20Poly1305Sha256) {
    keys.sealed_blocks_ += (bytes + 15) / 16 + 1;
  }
  return static_cast<std::uint32_t>(kRecordHeaderBytes + body);
}

OpenVerdict RecordCodec::open(OpenJob& job) {
  RecordKeys& keys = *job.keys;
  std::uint8_t* const record = job.record.data();
  if (keys.ops_ == nullptr || job.record.size() < keys.overhead()) return OpenVerdict::kUnauthentic;
  const std::size_t bytes = job.record.size() - keys.overhead();
  const std::uint64_t number = load_be64(record + 3);
  const std::uint64_t sequence = number & kMaxSequence;
  // RFC 6347 §4.1.2.6: asked before the AEAD does its work, told only after it.
  if (!keys.replay_.is_new(sequence)) return OpenVerdict::kReplayed;
  if (bytes > kMaxPlaintextBytes || number >> 48 != keys.epoch_) return OpenVerdict::kUnauthentic;
  const Block aad = additional_data(record, number, bytes);
  const Block nonce = nonce_of(keys, keys.read_iv_, record, number);
  std::uint8_t* const data = record + keys.header_bytes_;
  if (!keys.ops_->open(keys.read_material_.data(), nonce.data(), aad.data(), kAdditionalBytes, data,
                       bytes)) {
    ++keys.forgeries_;
    return OpenVerdict::kUnauthentic;
  }
  keys.replay_.commit(sequence);
  job.type = static_cast<ContentType>(record[0]);
  job.plaintext = {data, bytes};
  return OpenVerdict::kOpened;
}

void seal_batch(std::span<SealJob> jobs) {
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    if (i + 1 < jobs.size() && jobs[i + 1].keys != jobs[i].keys) jobs[i + 1].keys->prefetch_write();
    jobs[i].record_length = RecordCodec::seal(jobs[i]);
  }
}

void open_batch(std::span<OpenJob> jobs) {
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    if (i + 1 < jobs.size() && jobs[i + 1].keys != jobs[i].keys) jobs[i + 1].keys->prefetch_read();
    jobs[i].plaintext = {};
    jobs[i].verdict = RecordCodec::open(jobs[i]);
  }
}

}  // namespace millrace::crypto
