// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <vector>

#include "engine/base/rng.h"
#include "engine/pending_session.h"
#include "engine/table/association_table.h"
#include "engine/table/table_member.h"

namespace millrace::engine {

// SessionDirectory knows every session of an engine by its SessionId, for the control
// plane: signalling, DELETE, statistics. Any thread may call it; it takes a mutex, which
// the packet path never does: that finds sessions in `table()`.
class SessionDirectory {
 public:
  // Where a session is: pending in the table, or on a shard.
  struct Place {
    EntryRef entry;                 // Of a session that others dialled.
    std::optional<unsigned> shard;  // Empty while pending.
  };

  explicit SessionDirectory(const TableOptions& options);

  AssociationTable& table() { return table_; }

  // Draws an id that no session has had.
  SessionId make_id();

  // Makes `session` pending: found by its ufrag, or by its static address.
  TableStatus add_pending(std::unique_ptr<PendingSession> session);
  // Notes a session that this side dialled; it lives on `shard` from the start.
  void add_dialled(SessionId id, unsigned shard);

  std::optional<Place> find(SessionId id);
  // Ends a session that is still pending; false if a shard has claimed it.
  bool remove_pending(SessionId id);
  // Forgets a session whose shard has ended it.
  void forget(SessionId id);
  // Ends pending sessions whose time-out has passed since their making or last check.
  void expire_pending(Time now, Duration timeout);

  std::size_t pending_count() const;

 private:
  struct Known {
    EntryRef entry;
    unsigned shard = 0;
    bool dialled = false;
  };
  std::optional<Place> place_of(const Known& known);

  AssociationTable table_;
  mutable std::mutex mutex_;    // Guards all below.
  mutable TableMember member_;  // The control plane's; paused between calls.
  SystemRng rng_;
  std::unordered_map<SessionId, Known> known_;
  // Those that were pending at the last sweep, or came since: a sweep, which is within a
  // shard's turn, costs nothing for sessions that are up.
  std::vector<SessionId> pending_;
};

}  // namespace millrace::engine
