// SPDX-License-Identifier: Apache-2.0
#include "engine/table/table_member.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "engine/base/check.h"

namespace millrace::engine {

namespace {

TableResult refused(TableStatus status, const Found& holder = {}) { return {status, {}, holder}; }

}  // namespace

TableMember::TableMember(AssociationTable& table) : table_(table), id_(table.quiescence_.join()) {}

TableMember::~TableMember() {
  table_.quiescence_.leave(id_);
  const std::lock_guard lock(table_.pool_mutex_);
  for (auto& retired : retired_) table_.orphans_.push_back(std::move(retired));
}

Found TableMember::find(const AddressKey& key) const {
  return table_.find(key.hash(table_.options_.key), key);
}

Found TableMember::find(const UfragKey& key) const {
  return table_.find(key.hash(table_.options_.key), key);
}

void TableMember::find_batch(std::span<const AddressKey> keys, std::span<Found> out) const {
  DCHECK(out.size() >= keys.size());
  constexpr std::size_t kGroup = 32;
  std::array<std::uint64_t, kGroup> hashes;
  std::array<std::optional<KeyIndex::Place>, kGroup> candidates;
  while (!keys.empty()) {
    const std::size_t n = std::min(keys.size(), kGroup);
    for (std::size_t i = 0; i < n; ++i) {
      hashes[i] = keys[i].hash(table_.options_.key);
      table_.index_.prefetch(hashes[i]);
    }
    for (std::size_t i = 0; i < n; ++i) candidates[i] = table_.prefetch_candidate(hashes[i]);
    for (std::size_t i = 0; i < n; ++i) {
      out[i] = candidates[i] ? table_.confirm(*candidates[i], keys[i].words(), true) : Found();
      // Rarely: two keys of one tag, or a key that is changing hands.
      if (candidates[i] && !out[i]) out[i] = table_.find(hashes[i], keys[i]);
    }
    keys = keys.subspan(n);
    out = out.subspan(n);
  }
}

SessionHandle TableMember::handle(EntryRef entry) const { return table_.handle(entry); }

PendingPayload* TableMember::payload(EntryRef entry) const {
  if (!table_.handle(entry).is_pending()) return nullptr;
  // Acquire: what `create` was given. Null if the claim came in between.
  return table_.records_[entry.index].payload.load(std::memory_order_acquire);
}

TableResult TableMember::create(const UfragKey* ufrag, std::unique_ptr<PendingPayload> payload) {
  using Table = AssociationTable;
  std::uint32_t index = 0;
  if (!table_.take_entry(index)) return refused(TableStatus::kFull);
  Table::Record& record = table_.records_[index];
  const SessionHandle old = SessionHandle::from_bits(record.handle.load(std::memory_order_relaxed));
  const EntryRef entry{index, old.generation()};
  const SessionHandle handle = SessionHandle::pending(entry.generation);

  const std::lock_guard session_lock(table_.session_mutex(index));
  // The entry comes from the pool: no reader can remember what it held.
  Table::Control& control = table_.controls_[index];
  control = {};
  if (ufrag == nullptr) {
    record.payload.store(payload.release(), std::memory_order_relaxed);
    table_.step(UpdateStep::kBeforePublish);
    record.handle.store(handle.bits(), std::memory_order_release);
    return TableResult{TableStatus::kOk, entry, {}};
  }
  const std::uint64_t hash = ufrag->hash(table_.options_.key);
  const std::lock_guard key_lock(table_.key_mutex(hash));
  if (const Found holder = table_.find(hash, *ufrag)) {
    table_.give_entry(index, 0);
    return refused(TableStatus::kTaken, holder);
  }
  record.payload.store(payload.release(), std::memory_order_relaxed);
  table_.key_at(index, Table::kUfragPosition) = ufrag->words();
  control.used = 1u << Table::kUfragPosition;
  table_.step(UpdateStep::kBeforePublish);
  table_.index_.insert(hash, {index, Table::kUfragPosition});
  table_.step(UpdateStep::kWordPublished);
  // Release: whoever sees the session sees its payload.
  record.handle.store(handle.bits(), std::memory_order_release);
  return TableResult{TableStatus::kOk, entry, {}};
}

TableResult TableMember::add_address(EntryRef entry, const AddressKey& key) {
  using Table = AssociationTable;
  if (!table_.handle(entry)) return refused(TableStatus::kGone);
  const std::lock_guard session_lock(table_.session_mutex(entry.index));
  // `remove` ends the handle first and then waits for this stripe: what is added under a
  // handle that is still good it will find and clear.
  if (!table_.handle(entry)) return refused(TableStatus::kGone);
  const std::uint64_t hash = key.hash(table_.options_.key);
  const std::lock_guard key_lock(table_.key_mutex(hash));
  if (const Found holder = table_.find(hash, key)) {
    if (holder.entry == entry) return TableResult{TableStatus::kOk, entry, {}};
    return refused(TableStatus::kTaken, holder);
  }
  Table::Control& control = table_.controls_[entry.index];
  const auto addresses = static_cast<unsigned>(control.used) & Table::kAddressMask;
  if (static_cast<std::size_t>(__builtin_popcount(addresses)) >=
      table_.options_.addresses_per_session) {
    return refused(TableStatus::kTooManyAddresses);
  }
  const int position = table_.free_position(control);
  if (position < 0) return refused(TableStatus::kFull);
  const auto bit = static_cast<std::uint16_t>(1u << position);
  table_.key_at(entry.index, static_cast<std::size_t>(position)) = key.words();
  control.used |= bit;
  control.retired &= static_cast<std::uint16_t>(~bit);
  table_.step(UpdateStep::kBeforePublish);
  table_.index_.insert(hash, {entry.index, static_cast<std::uint8_t>(position)});
  table_.step(UpdateStep::kWordPublished);
  return TableResult{TableStatus::kOk, entry, {}};
}

bool TableMember::remove_address(EntryRef entry, const AddressKey& key) {
  using Table = AssociationTable;
  if (!table_.handle(entry)) return false;
  const std::lock_guard session_lock(table_.session_mutex(entry.index));
  if (!table_.handle(entry)) return false;
  Table::Control& control = table_.controls_[entry.index];
  for (std::uint8_t position = 0; position < Table::kMaxAddresses; ++position) {
    const auto bit = static_cast<std::uint16_t>(1u << position);
    if ((control.used & bit) == 0) continue;
    if (table_.key_at(entry.index, position) != key.words()) continue;
    table_.clear_key(entry.index, position);
    table_.step(UpdateStep::kWordCleared);
    control.used &= static_cast<std::uint16_t>(~bit);
    control.retired |= bit;
    control.retired_at = table_.quiescence_.retire();
    return true;
  }
  return false;
}

Claim TableMember::claim(EntryRef entry, std::uint32_t shard, std::uint32_t slot) {
  CHECK(shard < SessionHandle::kMaxShards && slot < SessionHandle::kMaxSlots);
  SessionHandle handle = table_.handle(entry);
  if (!handle) return {};
  if (!handle.is_pending()) return {ClaimStatus::kAlready, handle, nullptr};
  AssociationTable::Record& record = table_.records_[entry.index];
  std::uint64_t expected = handle.bits();
  const SessionHandle mine = SessionHandle::claimed(shard, slot, entry.generation);
  // One exchange decides. A loser learns the owner, or that the session has ended.
  if (!record.handle.compare_exchange_strong(expected, mine.bits(), std::memory_order_acq_rel,
                                             std::memory_order_acquire)) {
    handle = SessionHandle::from_bits(expected);
    if (!handle.is_claimed()) return {};
    return {ClaimStatus::kAlready, handle, nullptr};
  }
  table_.step(UpdateStep::kClaimed);
  PendingPayload* const payload = record.payload.exchange(nullptr, std::memory_order_acq_rel);
  if (payload != nullptr) retire(payload, table_.quiescence_.retire());
  return {ClaimStatus::kWon, mine, payload};
}

bool TableMember::remove(EntryRef entry, SessionHandle expected) {
  using Table = AssociationTable;
  if (!expected || expected.generation() != entry.generation) return false;
  if (table_.handle(entry) != expected) return false;
  Table::Record& record = table_.records_[entry.index];
  std::uint64_t bits = expected.bits();
  const SessionHandle ended = SessionHandle::none(entry.generation + 1);
  // From here on every key of the session finds nothing.
  if (!record.handle.compare_exchange_strong(bits, ended.bits(), std::memory_order_acq_rel)) {
    return false;
  }
  table_.step(UpdateStep::kHandleEnded);
  const std::lock_guard session_lock(table_.session_mutex(entry.index));
  Table::Control& control = table_.controls_[entry.index];
  for (unsigned used = control.used; used != 0; used &= used - 1) {
    table_.clear_key(entry.index, static_cast<std::uint8_t>(__builtin_ctz(used)));
    table_.step(UpdateStep::kWordCleared);
  }
  control = {};
  PendingPayload* const payload = record.payload.exchange(nullptr, std::memory_order_acq_rel);
  const Quiescence::Epoch epoch = table_.quiescence_.retire();
  if (payload != nullptr) retire(payload, epoch);
  table_.give_entry(entry.index, epoch);
  return true;
}

void TableMember::retire(PendingPayload* payload, Quiescence::Epoch at) {
  retired_.push_back({std::unique_ptr<PendingPayload>(payload), at});
}

void TableMember::reclaim() {
  for (std::size_t n = 0; n < kReclaimBudget && !retired_.empty(); ++n) {
    if (!table_.quiescence_.elapsed(retired_.front().retired_at)) break;
    retired_.pop_front();
  }
}

void TableMember::pause() {
  quiescent();
  table_.quiescence_.pause(id_);
}

void TableMember::resume() { table_.quiescence_.resume(id_); }

}  // namespace millrace::engine
