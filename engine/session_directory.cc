// SPDX-License-Identifier: Apache-2.0
#include "engine/session_directory.h"

#include <algorithm>
#include <utility>

namespace millrace::engine {
namespace {

// AwakeMember lets the control plane's member take part for the length of a call, so
// that its silence in between holds no reclamation up.
class AwakeMember {
 public:
  explicit AwakeMember(TableMember& member) : member_(member) { member_.resume(); }
  ~AwakeMember() {
    member_.quiescent();
    member_.pause();
  }
  AwakeMember(const AwakeMember&) = delete;
  AwakeMember& operator=(const AwakeMember&) = delete;

 private:
  TableMember& member_;
};

}  // namespace

SessionDirectory::SessionDirectory(const TableOptions& options) : table_(options), member_(table_) {
  member_.pause();
}

SessionId SessionDirectory::make_id() {
  const std::lock_guard lock(mutex_);
  // 64 random bits: as good as unguessable, and zero means none.
  std::uint64_t id = 0;
  while (id == 0 || known_.contains(SessionId{id})) id = rng_.next();
  return SessionId{id};
}

TableStatus SessionDirectory::add_pending(std::unique_ptr<PendingSession> session) {
  const std::lock_guard lock(mutex_);
  const AwakeMember awake(member_);
  const SessionId id = session->id;
  const std::optional<Address> peer = session->static_peer;
  const std::optional<UfragKey> ufrag =
      peer ? std::nullopt : UfragKey::parse(session->ice.local().ufrag);
  const TableResult made = member_.create(ufrag ? &*ufrag : nullptr, std::move(session));
  if (!made.ok()) return made.status;
  if (peer) {
    const TableResult added = member_.add_address(made.entry, AddressKey(*peer));
    if (!added.ok()) {
      member_.remove(made.entry, member_.handle(made.entry));
      return added.status;
    }
  }
  known_[id] = Known{made.entry, 0, false};
  pending_.push_back(id);
  return TableStatus::kOk;
}

void SessionDirectory::add_dialled(SessionId id, unsigned shard) {
  const std::lock_guard lock(mutex_);
  known_[id] = Known{{}, shard, true};
}

std::optional<SessionDirectory::Place> SessionDirectory::place_of(const Known& known) {
  if (known.dialled) return Place{{}, known.shard};
  const SessionHandle handle = member_.handle(known.entry);
  if (handle.is_pending()) return Place{known.entry, std::nullopt};
  if (handle.is_claimed()) return Place{known.entry, handle.shard()};
  return std::nullopt;
}

std::optional<SessionDirectory::Place> SessionDirectory::find(SessionId id) {
  const std::lock_guard lock(mutex_);
  const AwakeMember awake(member_);
  const auto known = known_.find(id);
  return known == known_.end() ? std::nullopt : place_of(known->second);
}

bool SessionDirectory::remove_pending(SessionId id) {
  const std::lock_guard lock(mutex_);
  const AwakeMember awake(member_);
  const auto known = known_.find(id);
  if (known == known_.end() || known->second.dialled) return false;
  const SessionHandle handle = member_.handle(known->second.entry);
  if (!handle.is_pending() || !member_.remove(known->second.entry, handle)) return false;
  known_.erase(known);
  return true;
}

void SessionDirectory::forget(SessionId id) {
  const std::lock_guard lock(mutex_);
  known_.erase(id);
}

void SessionDirectory::expire_pending(Time now, Duration timeout) {
  const std::lock_guard lock(mutex_);
  const AwakeMember awake(member_);
  std::erase_if(pending_, [&](SessionId id) {
    const auto known = known_.find(id);
    if (known == known_.end()) return true;
    const EntryRef entry = known->second.entry;
    const SessionHandle handle = member_.handle(entry);
    const auto* pending = static_cast<const PendingSession*>(member_.payload(entry));
    if (!handle.is_pending() || pending == nullptr) return true;  // A shard has it.
    if (now < pending->ice.expiry(timeout) || !member_.remove(entry, handle)) return false;
    known_.erase(known);
    return true;
  });
}

std::size_t SessionDirectory::pending_count() const {
  const std::lock_guard lock(mutex_);
  const AwakeMember awake(member_);
  return static_cast<std::size_t>(std::count_if(pending_.begin(), pending_.end(), [&](auto id) {
    const auto known = known_.find(id);
    return known != known_.end() && member_.handle(known->second.entry).is_pending();
  }));
}

}  // namespace millrace::engine
