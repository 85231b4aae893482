// SPDX-License-Identifier: Apache-2.0
#include "engine/table/association_table.h"

#include <utility>

#include "engine/base/check.h"

namespace millrace::engine {

AssociationTable::AssociationTable(const TableOptions& options)
    : options_(options),
      // Beside its addresses a session has a ufrag.
      index_(options.max_sessions * (options.addresses_per_session + 1)),
      records_(std::make_unique<Record[]>(options.max_sessions)),
      cold_keys_(std::make_unique<ColdKeys[]>(options.max_sessions)),
      controls_(std::make_unique<Control[]>(options.max_sessions)),
      quiescence_(options.max_members),
      free_(std::make_unique<FreeEntry[]>(options.max_sessions)) {
  CHECK(options.max_sessions >= 1 && options.max_sessions <= KeyIndex::kMaxRecords);
  CHECK(options.addresses_per_session >= 1 && options.addresses_per_session <= kMaxAddresses);
}

AssociationTable::~AssociationTable() {
  for (std::size_t i = 0; i < fresh_; ++i) {
    std::unique_ptr<PendingPayload>(records_[i].payload.load(std::memory_order_relaxed)).reset();
  }
}

SessionHandle AssociationTable::handle(EntryRef entry) const {
  if (entry.index >= options_.max_sessions) return {};
  const auto handle =
      SessionHandle::from_bits(records_[entry.index].handle.load(std::memory_order_acquire));
  return handle && handle.generation() == entry.generation ? handle : SessionHandle();
}

Found AssociationTable::confirm(KeyIndex::Place place, const KeyWords& words,
                                bool is_address) const {
  if ((place.position < kMaxAddresses) != is_address) return {};
  if (key_at(place.record, place.position) != words) return {};
  const auto handle =
      SessionHandle::from_bits(records_[place.record].handle.load(std::memory_order_acquire));
  // An ended session's key is about to leave the index; its next holder may be there already.
  if (!handle) return {};
  return {handle, {place.record, handle.generation()}};
}

Found AssociationTable::find(std::uint64_t hash, const KeyWords& words, bool is_address) const {
  Found found;
  index_.find(hash, [&](KeyIndex::Place place) {
    found = confirm(place, words, is_address);
    return static_cast<bool>(found);
  });
  return found;
}

std::optional<KeyIndex::Place> AssociationTable::prefetch_candidate(std::uint64_t hash) const {
  std::optional<KeyIndex::Place> candidate;
  index_.find(hash, [&](KeyIndex::Place place) {
    __builtin_prefetch(&records_[place.record]);
    if (place.position >= kHotKeys) __builtin_prefetch(&key_at(place.record, place.position));
    candidate = place;
    return true;
  });
  return candidate;
}

bool AssociationTable::take_entry(std::uint32_t& index) {
  const std::lock_guard lock(pool_mutex_);
  std::erase_if(orphans_, [this](const RetiredPayload& orphan) {
    return quiescence_.elapsed(orphan.retired_at);
  });
  if (free_count_ != 0 && quiescence_.elapsed(free_[free_head_].retired_at)) {
    index = free_[free_head_].index;
    free_head_ = (free_head_ + 1) % options_.max_sessions;
    --free_count_;
  } else if (fresh_ < options_.max_sessions) {
    index = fresh_++;
  } else {
    return false;
  }
  size_.fetch_add(1, std::memory_order_relaxed);
  return true;
}

void AssociationTable::give_entry(std::uint32_t index, Epoch retired_at) {
  const std::lock_guard lock(pool_mutex_);
  free_[(free_head_ + free_count_) % options_.max_sessions] = {index, retired_at};
  ++free_count_;
  size_.fetch_sub(1, std::memory_order_relaxed);
}

// The lowest position that no reader can remember, for the first two share the handle's
// cache line; -1 if there is none.
int AssociationTable::free_position(const Control& control) {
  unsigned taken = control.used;
  if (control.retired != 0 && !quiescence_.elapsed(control.retired_at)) taken |= control.retired;
  const int position = __builtin_ctz(~taken);
  return position < static_cast<int>(kMaxAddresses) ? position : -1;
}

std::uint64_t AssociationTable::hash_of(std::uint32_t index, std::uint8_t position) const {
  const KeyWords& words = key_at(index, position);
  return position < kMaxAddresses ? AddressKey::hash_words(options_.key, words)
                                  : UfragKey::hash_words(options_.key, words);
}

// Takes a key of a session, whose stripe the caller holds, out of the index.
void AssociationTable::clear_key(std::uint32_t index, std::uint8_t position) {
  const std::uint64_t hash = hash_of(index, position);
  const std::lock_guard lock(key_mutex(hash));
  index_.erase(hash, {index, position});
}

}  // namespace millrace::engine
