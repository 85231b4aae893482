// SPDX-License-Identifier: Apache-2.0
#pragma once

// The hot path of DTLS: records sealed and opened in place, a burst of many sessions at
// a time (RFC 6347 §4.1, RFC 5288 §3, RFC 7905 §2). Nothing here allocates or fails:
// what cannot be sealed has length 0, what cannot be opened a verdict.

#include <cstdint>
#include <span>
#include <vector>

#include "crypto/record_header.h"
#include "crypto/record_keys.h"
#include "engine/base/bytes.h"
#include "engine/base/lent_bytes.h"

namespace millrace::crypto {

// SealJob is one record to seal. `record` points at a slot of at least
// `keys->overhead() + plaintext_length` bytes, in which the plaintext lies at
// `record + keys->header_bytes()` already; header and tag are written around it.
struct SealJob {
  RecordKeys* keys = nullptr;
  std::uint8_t* record = nullptr;
  std::uint32_t plaintext_length = 0;  // At most kMaxPlaintextBytes.
  ContentType type = ContentType::kApplicationData;
  // Out: bytes of the record, 0 when the keys are worn out and nothing was sealed.
  std::uint32_t record_length = 0;
  // A part of the plaintext that lies elsewhere until then; empty unless `keys->takes_lent()`.
  LentBytes lent = {};
};

// seal_batch seals `jobs` in order: the records of one session get rising numbers. Jobs
// that share keys should lie next to each other.
void seal_batch(std::span<SealJob> jobs);

// OpenVerdict is the outcome of opening a record.
enum class OpenVerdict : std::uint8_t {
  kPending,      // Not opened yet.
  kOpened,       // Authentic and new.
  kReplayed,     // Seen before, or behind the window.
  kUnauthentic,  // Too short, or the tag is wrong.
};

// OpenTag travels with a job for the caller's use.
struct OpenTag {
  void* owner = nullptr;    // The session that the record belongs to, say.
  std::uint32_t index = 0;  // The datagram within the burst, say.
};

class DtlsSession;

// OpenJob is one record to open in place. `record` is the whole record, header first.
struct OpenJob {
  RecordKeys* keys = nullptr;
  DtlsSession* session = nullptr;  // Which asked; give the opened job back to it.
  MutableByteSpan record = {};
  OpenTag tag = {};
  // Out: where the plaintext lies within `record`; empty unless `kOpened`.
  MutableByteSpan plaintext = {};
  ContentType type = ContentType::kApplicationData;
  OpenVerdict verdict = OpenVerdict::kPending;
};

// open_batch opens `jobs` in order. The replay window is asked before decryption and
// told after authentication, job by job, so of two copies in one batch one passes. A
// record that is refused has been overwritten by what it would have decrypted to.
void open_batch(std::span<OpenJob> jobs);

// OpenQueue collects a burst's jobs; its capacity is fixed when it is made.
class OpenQueue {
 public:
  explicit OpenQueue(std::size_t capacity) : capacity_(capacity) { jobs_.reserve(capacity); }

  // Returns a job to fill in, or null when full. Fill it in word by word: copied from the stack
  // it would be read by wider loads than stores made it, and those wait for all stores before them.
  OpenJob* add() { return jobs_.size() == capacity_ ? nullptr : &jobs_.emplace_back(); }
  std::span<OpenJob> jobs() { return jobs_; }
  std::size_t room() const { return capacity_ - jobs_.size(); }
  void clear() { jobs_.clear(); }

 private:
  std::vector<OpenJob> jobs_;
  std::size_t capacity_;
};

}  // namespace millrace::crypto
