// SPDX-License-Identifier: Apache-2.0
#include "crypto/record_keys.h"

#include <openssl/mem.h>

#include "crypto/aead_ops.h"
#include "engine/base/check.h"

namespace millrace::crypto {
namespace {

const AeadOps* ops_of(AeadBackend backend, CipherSuite suite) {
  const AeadOps* ops = nullptr;
  if (backend == AeadBackend::kVaes512) ops = vaes512_aead(suite);
  if (backend == AeadBackend::kVaes) ops = vaes_aead(suite);
  if (ops == nullptr && backend != AeadBackend::kBoringSsl) ops = ipsec_mb_aead(suite);
  return ops != nullptr ? ops : boringssl_aead(suite);
}

constexpr std::size_t kCacheLineBytes = 64;

void prefetch_material(const std::uint8_t* material) {
  // Round keys (176 or 240 bytes) and powers of the hash key: all of kVaes's, of the others those
  // that come first.
  for (std::size_t i = 0; i < 8; ++i) __builtin_prefetch(material + i * kCacheLineBytes);
}

}  // namespace

bool backend_available(AeadBackend backend) {
  constexpr CipherSuite kOfAll = CipherSuite::kAes128GcmSha256;
  switch (backend) {
    case AeadBackend::kVaes512:
      return vaes512_aead(kOfAll) != nullptr;
    case AeadBackend::kVaes:
      return vaes_aead(kOfAll) != nullptr;
    case AeadBackend::kIpsecMb:
      return ipsec_mb_aead(kOfAll) != nullptr;
    case AeadBackend::kBoringSsl:
      break;
  }
  return true;
}

AeadBackend best_backend() {
  for (const AeadBackend backend :
       {AeadBackend::kVaes512, AeadBackend::kVaes, AeadBackend::kIpsecMb}) {
    if (backend_available(backend)) return backend;
  }
  return AeadBackend::kBoringSsl;
}

std::string_view backend_name(AeadBackend backend) {
  switch (backend) {
    case AeadBackend::kVaes512:
      return "vaes-512";
    case AeadBackend::kVaes:
      return "vaes";
    case AeadBackend::kIpsecMb:
      return "ipsec-mb";
    case AeadBackend::kBoringSsl:
      break;
  }
  return "boringssl";
}

TrafficKeys::~TrafficKeys() {
  OPENSSL_cleanse(&write, sizeof(write));
  OPENSSL_cleanse(&read, sizeof(read));
}

void RecordKeys::install(const TrafficKeys& keys, const KeyLimits& limits, AeadBackend backend) {
  CHECK(ops_ == nullptr);
  ops_ = ops_of(backend, keys.suite);
  suite_ = keys.suite;
  cipher_id_ = keys.cipher_id;
  epoch_ = keys.epoch;
  header_bytes_ =
      static_cast<std::uint8_t>(kRecordHeaderBytes + shape_of(keys.suite).explicit_nonce_bytes);
  write_sequence_ = keys.write_sequence;
  sealed_blocks_ = 0;
  forgeries_ = 0;
  limits_ = limits;
  write_iv_ = keys.write.iv;
  read_iv_ = keys.read.iv;
  replay_.reset();
  takes_lent_ = ops_->seal_around != nullptr;
  ops_->install(write_material_.data(), keys.write.key.data());
  ops_->install(read_material_.data(), keys.read.key.data());
}

RecordKeys::~RecordKeys() {
  if (ops_ == nullptr) return;
  if (ops_->uninstall != nullptr) {
    ops_->uninstall(write_material_.data());
    ops_->uninstall(read_material_.data());
  }
  OPENSSL_cleanse(write_material_.data(), write_material_.size());
  OPENSSL_cleanse(read_material_.data(), read_material_.size());
  OPENSSL_cleanse(write_iv_.data(), write_iv_.size());
  OPENSSL_cleanse(read_iv_.data(), read_iv_.size());
}

void RecordKeys::seed_replay(std::uint64_t sequence) {
  if (replay_.is_new(sequence)) replay_.commit(sequence);
}

bool RecordKeys::may_have_sealed(ByteSpan head, std::size_t bytes) const {
  // A round trip of 100 ms at 5 Gbit/s.
  constexpr std::uint64_t kLately = std::uint64_t{1} << 16;
  if (head.size() < kRecordHeaderBytes || bytes < kRecordHeaderBytes) return false;
  const std::uint64_t sequence = load_be48(head.data() + 5);
  return head[0] == static_cast<std::uint8_t>(ContentType::kApplicationData) &&
         load_be16(head.data() + 1) == kDtls12Version && load_be16(head.data() + 3) == epoch_ &&
         load_be16(head.data() + 11) == bytes - kRecordHeaderBytes && sequence < write_sequence_ &&
         write_sequence_ - sequence <= kLately;
}

void RecordKeys::prefetch_write() const {
  prefetch_material(write_material_.data());
  __builtin_prefetch(&write_sequence_, 1);
}

void RecordKeys::prefetch_read() const {
  prefetch_material(read_material_.data());
  __builtin_prefetch(&ops_);
  __builtin_prefetch(&replay_, 1);
}

RecordKeysPool::RecordKeysPool(AeadBackend backend, KeyLimits limits)
    : backend_(backend), limits_(limits) {}

RecordKeysPtr RecordKeysPool::make(const TrafficKeys& keys) {
  RecordKeysPtr made = pool_.make();
  made->install(keys, limits_, backend_);
  return made;
}

}  // namespace millrace::crypto
