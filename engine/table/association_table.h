// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "engine/base/siphash.h"
#include "engine/table/key_index.h"
#include "engine/table/quiescence.h"
#include "engine/table/session_handle.h"
#include "engine/table/table_key.h"

namespace millrace::engine {

// PendingPayload is what signalling attaches to a pending session: credentials and the
// like, that any shard may read while it answers checks. What shards change in it they
// change with atomics of their own. The table owns it and never looks inside.
class PendingPayload {
 public:
  virtual ~PendingPayload() = default;
};

enum class TableStatus : std::uint8_t {
  kOk,
  kFull,              // No entry is free, or those freed are still in a reader's sight.
  kTaken,             // The key belongs to another session, given as `holder`.
  kTooManyAddresses,  // The session has its full number of addresses.
  kGone,              // The session has ended.
};

struct [[nodiscard]] TableResult {
  TableStatus status = TableStatus::kOk;
  EntryRef entry;
  Found holder;  // Set with kTaken.

  bool ok() const { return status == TableStatus::kOk; }
};

enum class ClaimStatus : std::uint8_t { kWon, kAlready, kGone };

struct [[nodiscard]] Claim {
  ClaimStatus status = ClaimStatus::kGone;
  SessionHandle handle;               // The session's handle after the call.
  PendingPayload* payload = nullptr;  // Only if won, and until the next `quiescent`.
};

// UpdateStep is a point within an update at which a test may suspend the writer.
enum class UpdateStep : std::uint8_t {
  kBeforePublish,  // The key is in the record, nothing leads to it.
  kWordPublished,  // The index leads to the record, whose handle may still be empty.
  kHandleEnded,    // The handle says gone, the index still leads to it.
  kWordCleared,    // One of the session's keys is out of the index.
  kClaimed,        // The handle has its owner, the payload is still attached.
};

struct TableOptions {
  std::size_t max_sessions = 16384;       // At most 2^24.
  std::size_t addresses_per_session = 4;  // At most kMaxAddresses.
  std::size_t max_members = 64;           // Threads that use the table at a time.
  SipKey key;                             // From a random source, per table.
  // A test's: called by writers between the steps of an update.
  void (*on_step)(void* context, UpdateStep step) = nullptr;
  void* on_step_context = nullptr;
};

// AssociationTable finds sessions by remote address and by ICE user-name fragment. Its
// memory is fixed at start: some 300 bytes a session and 11 to 22 bytes for each key that
// the sessions could have.
//
// Life of a session: signalling `create`s it pending; any member reads its payload to answer
// checks and `add_address`es the paths it authenticates; exactly one shard wins its
// `claim`; from then on the owner alone adds and removes addresses; `remove` ends it
// (signalling while it is pending, the owner afterwards).
//
// Every thread uses the table through a TableMember of its own. Look-ups and claims take no lock
// and never wait, not even for a writer that is suspended in the middle of an update: they see the
// session as it was before or after. The other writes are control plane: they take a
// striped mutex that only writes of the same session or key share. What a look-up may still see
// is reclaimed once every member has said `quiescent` since.
class AssociationTable {
 public:
  static constexpr std::size_t kMaxAddresses = 8;

  explicit AssociationTable(const TableOptions& options);
  // All members have left.
  ~AssociationTable();
  AssociationTable(const AssociationTable&) = delete;
  AssociationTable& operator=(const AssociationTable&) = delete;

  const TableOptions& options() const { return options_; }
  // Sessions that exist, pending ones included. Any thread; a moment's view.
  std::size_t size() const { return size_.load(std::memory_order_relaxed); }
  // See KeyIndex: a measure of the hash's health.
  std::uint64_t displaced_keys() const { return index_.displaced(); }

 private:
  friend class TableMember;

  static constexpr unsigned kAddressMask = (1u << kMaxAddresses) - 1;
  static constexpr std::uint8_t kUfragPosition = kMaxAddresses;
  static constexpr std::uint8_t kConnectionIdPosition = kMaxAddresses + 1;
  static constexpr std::size_t kStripes = 64;
  using Epoch = Quiescence::Epoch;

  // What a look-up reads of a session with one or two addresses: one line. A key is
  // written only while the index does not lead to it and no reader can remember that it
  // did.
  static constexpr std::size_t kHotKeys = 2;
  struct alignas(kCacheLineBytes) Record {
    std::atomic<std::uint64_t> handle{0};
    std::atomic<PendingPayload*> payload{nullptr};
    std::array<KeyWords, kHotKeys> keys{};
  };
  static_assert(sizeof(Record) == kCacheLineBytes);
  // The other addresses, the ufrag, and room for a connection id. Apart from the records, for
  // the lines that are hot would else share a quarter of the cache's sets.
  struct alignas(kCacheLineBytes) ColdKeys {
    std::array<KeyWords, kMaxAddresses + 2 - kHotKeys> keys{};
  };
  static_assert(sizeof(ColdKeys) == 3 * kCacheLineBytes);

  // Guarded by the session's stripe.
  struct Control {
    std::uint16_t used = 0;     // Bit p: keys[p] is in the index.
    std::uint16_t retired = 0;  // Bit p: keys[p] left it at or before `retired_at`.
    Epoch retired_at = 0;
  };
  struct alignas(kCacheLineBytes) Stripe {
    std::mutex mutex;
  };
  struct FreeEntry {
    std::uint32_t index = 0;
    Epoch retired_at = 0;
  };
  struct RetiredPayload {
    std::unique_ptr<PendingPayload> payload;
    Epoch retired_at = 0;
  };

  Found find(std::uint64_t hash, const AddressKey& key) const {
    return find(hash, key.words(), true);
  }
  Found find(std::uint64_t hash, const UfragKey& key) const {
    return find(hash, key.words(), false);
  }
  Found find(std::uint64_t hash, const KeyWords& words, bool is_address) const;
  // The session that the place leads to, if it has the key and has not ended.
  Found confirm(KeyIndex::Place place, const KeyWords& words, bool is_address) const;
  std::optional<KeyIndex::Place> prefetch_candidate(std::uint64_t hash) const;
  SessionHandle handle(EntryRef entry) const;
  KeyWords& key_at(std::uint32_t index, std::size_t position) {
    return position < kHotKeys ? records_[index].keys[position]
                               : cold_keys_[index].keys[position - kHotKeys];
  }
  const KeyWords& key_at(std::uint32_t index, std::size_t position) const {
    return position < kHotKeys ? records_[index].keys[position]
                               : cold_keys_[index].keys[position - kHotKeys];
  }
  bool take_entry(std::uint32_t& index);
  void give_entry(std::uint32_t index, Epoch retired_at);
  int free_position(const Control& control);
  void clear_key(std::uint32_t index, std::uint8_t position);
  std::uint64_t hash_of(std::uint32_t index, std::uint8_t position) const;
  std::mutex& session_mutex(std::uint32_t index) {
    return session_stripes_[index % kStripes].mutex;
  }
  std::mutex& key_mutex(std::uint64_t hash) { return key_stripes_[(hash >> 32) % kStripes].mutex; }
  void step(UpdateStep step) const {
    if (options_.on_step != nullptr) options_.on_step(options_.on_step_context, step);
  }

  const TableOptions options_;
  KeyIndex index_;
  std::unique_ptr<Record[]> records_;
  std::unique_ptr<ColdKeys[]> cold_keys_;
  std::unique_ptr<Control[]> controls_;
  Quiescence quiescence_;
  std::array<Stripe, kStripes> session_stripes_;
  std::array<Stripe, kStripes> key_stripes_;

  std::mutex pool_mutex_;              // Guards all below but `size_`.
  std::unique_ptr<FreeEntry[]> free_;  // Ring of ended sessions' entries, oldest first.
  std::size_t free_head_ = 0;
  std::size_t free_count_ = 0;
  std::uint32_t fresh_ = 0;              // Entries from here on were never used.
  std::vector<RetiredPayload> orphans_;  // Left by members that have gone.
  std::atomic<std::size_t> size_{0};
};

}  // namespace millrace::engine
