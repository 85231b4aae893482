// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "crypto/cipher_suite.h"
#include "crypto/record_header.h"
#include "crypto/replay_window.h"
#include "engine/base/bytes.h"
#include "engine/base/slab_pool.h"

namespace millrace::crypto {

struct AeadOps;

// AeadBackend says whose code seals and opens records; all give the same bytes. kVaes and kVaes512
// are an AES-GCM of our own (decision 0019) on vectors of 256 and of 512 bits; other suites are
// then ipsec-mb's or BoringSSL's.
enum class AeadBackend : std::uint8_t { kBoringSsl, kIpsecMb, kVaes, kVaes512 };

// backend_available says whether this build and this CPU have `backend`.
bool backend_available(AeadBackend backend);

// best_backend is the fastest of those available.
AeadBackend best_backend();

// backend_name is for people: "boringssl", "ipsec-mb", "vaes", "vaes-512".
std::string_view backend_name(AeadBackend backend);

// TrafficKeys is what a finished handshake exports for one epoch (RFC 5246 §6.3), in the
// point of view of this end. It wipes itself.
struct TrafficKeys {
  struct Direction {
    std::array<std::uint8_t, 32> key{};
    std::array<std::uint8_t, 12> iv{};  // AES-GCM: its first four bytes, the salt.
  };
  CipherSuite suite = CipherSuite::kAes128GcmSha256;
  std::uint16_t cipher_id = 0;  // As negotiated; see `cipher_name`.
  std::uint16_t epoch = 1;
  std::uint64_t write_sequence = 0;  // Next number to seal under.
  Direction write;
  Direction read;

  TrafficKeys() = default;
  TrafficKeys(const TrafficKeys&) = default;
  TrafficKeys& operator=(const TrafficKeys&) = default;
  ~TrafficKeys();
};

// KeyLimits end a session before its keys wear out: DTLS 1.2 has no key update. The
// default for forgeries is RFC 9147 §4.5.3's. That section's limit for AES-GCM
// confidentiality (2^24.5 full records, 2^34.5 blocks, advantage 2^-60) would end a bulk
// transfer at 10 Gbit/s after five minutes, and binds DTLS 1.3 alone; 2^44 blocks
// (256 TiB) keep the advantage of the birthday bound under 2^-40.
struct KeyLimits {
  std::uint64_t sealed_blocks = std::uint64_t{1} << 44;  // Of 16 bytes; AES-GCM only.
  std::uint64_t forgeries = std::uint64_t{1} << 36;
  std::uint64_t last_sequence = kMaxSequence;
};

// RecordKeys is the record layer of one session and epoch: expanded keys, the write
// sequence and the replay window, some 2.3 KB in pooled memory. Nonces follow from epoch
// and sequence alone and the sequence only grows, so none repeats (RFC 9325 §7.2.1).
// A later DTLS 1.3 holds one such object per epoch.
class alignas(64) RecordKeys {
 public:
  // Room for what any back end makes of a key (AeadOps), one per direction.
  static constexpr std::size_t kMaterialBytes = 1024;

  RecordKeys() = default;
  ~RecordKeys();
  RecordKeys(const RecordKeys&) = delete;
  RecordKeys& operator=(const RecordKeys&) = delete;

  CipherSuite suite() const { return suite_; }
  std::uint16_t cipher_id() const { return cipher_id_; }
  std::uint16_t epoch() const { return epoch_; }
  std::uint64_t write_sequence() const { return write_sequence_; }
  // Bytes before the plaintext in a record: 21 for AES-GCM, 13 for ChaCha20-Poly1305.
  std::size_t header_bytes() const { return header_bytes_; }
  // Bytes that a record adds to its plaintext, tag included: 37 or 29.
  std::size_t overhead() const { return header_bytes_ + kAeadTagBytes; }

  // True if `seal_batch` reads a payload where it lies (SealJob::lent).
  bool takes_lent() const { return takes_lent_; }

  // True when a limit is reached: seal nothing more (`seal_batch` refuses to) and end
  // the session.
  bool worn_out() const {
    return write_sequence_ > limits_.last_sequence || sealed_blocks_ >= limits_.sealed_blocks ||
           forgeries_ >= limits_.forgeries;
  }

  // True if a datagram that begins with `head` and has `bytes` may be a record of application
  // data that was sealed here lately, by its header in the clear (RFC 6347 §4.1). Whoever makes
  // one up without having seen a record of the session has to guess its number.
  bool may_have_sealed(ByteSpan head, std::size_t bytes) const;

  // True if `record`, which was opened here, has the highest number of those that were: it is not
  // older than any (RFC 9146 §6).
  bool is_newest(ByteSpan record) const {
    return load_be48(record.data() + 5) == replay_.highest();
  }

  // Marks a number of the read epoch as seen before the first record is opened here.
  void seed_replay(std::uint64_t sequence);

  // Brings the lines that seal or open touch first into the cache.
  void prefetch_write() const;
  void prefetch_read() const;

 private:
  friend class RecordKeysPool;
  friend class RecordCodec;

  void install(const TrafficKeys& keys, const KeyLimits& limits, AeadBackend backend);

  alignas(64) std::array<std::uint8_t, kMaterialBytes> write_material_{};
  alignas(64) std::array<std::uint8_t, kMaterialBytes> read_material_{};
  const AeadOps* ops_ = nullptr;  // Null: no keys installed.
  std::uint64_t write_sequence_ = 0;
  std::uint64_t sealed_blocks_ = 0;
  std::uint64_t forgeries_ = 0;
  std::array<std::uint8_t, 12> write_iv_{};
  std::array<std::uint8_t, 12> read_iv_{};
  KeyLimits limits_;
  std::uint16_t epoch_ = 0;
  std::uint16_t cipher_id_ = 0;
  std::uint8_t header_bytes_ = 0;
  bool takes_lent_ = false;
  CipherSuite suite_ = CipherSuite::kAes128GcmSha256;
  ReplayWindow replay_;
};

// RecordKeysPtr gives its keys back, wiped, to the pool, which must outlive it.
using RecordKeysPtr = SlabPool<RecordKeys>::Ptr;

// RecordKeysPool holds the record keys of one shard's sessions; its thread alone uses it.
class RecordKeysPool {
 public:
  explicit RecordKeysPool(AeadBackend backend = best_backend(), KeyLimits limits = {});
  RecordKeysPool(const RecordKeysPool&) = delete;
  RecordKeysPool& operator=(const RecordKeysPool&) = delete;

  RecordKeysPtr make(const TrafficKeys& keys);

  // Makes sure that `n` more can be made without an allocation.
  void reserve(std::size_t n) { pool_.reserve(n); }
  std::size_t in_use() const { return pool_.in_use(); }
  AeadBackend backend() const { return backend_; }

 private:
  SlabPool<RecordKeys> pool_;
  AeadBackend backend_;
  KeyLimits limits_;
};

}  // namespace millrace::crypto
