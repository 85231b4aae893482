// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <unordered_map>

#include "millrace/types.h"

namespace millrace::cli {

// BacklogBudget is what the channels of one shard may keep together. A session has hundreds of
// channels and a shard thousands of sessions: a bound for each channel alone bounds no memory.
class BacklogBudget {
 public:
  // Takes `bytes` for a channel of `session` where neither the session then has more than
  // `most_of_session`, nor the shard more than `most_of_shard`.
  bool take(SessionId session, std::size_t bytes, std::size_t most_of_session,
            std::size_t most_of_shard) {
    const auto found = by_session_.find(session);
    const std::size_t of_session = found == by_session_.end() ? 0 : found->second;
    if (bytes > most_of_session || of_session > most_of_session - bytes) return false;
    if (bytes > most_of_shard || total_ > most_of_shard - bytes) return false;
    if (bytes == 0) return true;
    by_session_[session] += bytes;
    total_ += bytes;
    return true;
  }
  // Gives back what was taken. A session that has nothing is forgotten.
  void give_back(SessionId session, std::size_t bytes) {
    const auto found = by_session_.find(session);
    if (found == by_session_.end()) return;
    total_ -= bytes;
    if ((found->second -= bytes) == 0) by_session_.erase(found);
  }

  std::size_t total() const { return total_; }

 private:
  std::unordered_map<SessionId, std::size_t> by_session_;  // Of those that have any.
  std::size_t total_ = 0;
};

}  // namespace millrace::cli
