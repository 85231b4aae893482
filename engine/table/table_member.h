// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <span>

#include "engine/table/association_table.h"

namespace millrace::engine {

// TableMember is one thread's access to an AssociationTable, which outlives it. All calls come
// from that one thread.
//
// A member owes the table a `quiescent` call in every turn, when it holds nothing that it
// was given (payload pointers), and `pause` before it sleeps: until each member has done
// so, what has ended cannot be used again. Between `pause` and `resume` it calls nothing else.
class TableMember {
 public:
  // CHECKs that fewer than `max_members` threads are members.
  explicit TableMember(AssociationTable& table);
  ~TableMember();
  TableMember(const TableMember&) = delete;
  TableMember& operator=(const TableMember&) = delete;

  // Look-ups: no lock, no wait, no allocation.
  Found find(const AddressKey& key) const;
  Found find(const UfragKey& key) const;
  // Looks all `keys` up, their cache misses overlapped, into the same places of `out`, which is at
  // least as long.
  void find_batch(std::span<const AddressKey> keys, std::span<Found> out) const;
  // The session's handle; none if it has ended.
  SessionHandle handle(EntryRef entry) const;
  // What `create` attached, until the next `quiescent`; nullptr once the session is claimed or has
  // ended, even if a look-up just said pending: look it up again.
  PendingPayload* payload(EntryRef entry) const;

  // Makes a pending session, found by `ufrag` unless that is nullptr. On kFull and kTaken
  // the payload is destroyed.
  TableResult create(const UfragKey* ufrag, std::unique_ptr<PendingPayload> payload);
  // Makes `key` find the session; kOk if it does already. For a pending session any
  // member may call it, for a claimed one the owner.
  TableResult add_address(EntryRef entry, const AddressKey& key);
  // Undoes `add_address`; false if the session has no such address.
  bool remove_address(EntryRef entry, const AddressKey& key);
  // Makes `shard` the owner if nobody is; `slot` is where the session will live there, so the shard
  // reserves one first. No lock, no wait.
  Claim claim(EntryRef entry, std::uint32_t shard, std::uint32_t slot);
  // Ends the session, with all its keys, if its handle still is `expected`; false if it
  // was claimed or ended meanwhile.
  bool remove(EntryRef entry, SessionHandle expected);

  // Says that this thread holds nothing it has been given, and frees some of what this
  // thread retired and no member can hold.
  void quiescent() {
    table_.quiescence_.quiescent(id_);
    if (!retired_.empty()) reclaim();
  }
  void pause();
  void resume();

 private:
  static constexpr std::size_t kReclaimBudget = 32;  // Payloads freed in one `quiescent`.

  void retire(PendingPayload* payload, Quiescence::Epoch at);
  void reclaim();

  AssociationTable& table_;
  const std::size_t id_;
  std::deque<AssociationTable::RetiredPayload> retired_;  // Oldest first.
};

}  // namespace millrace::engine
