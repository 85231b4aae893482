// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>

#include "test/interop/millrace_traffic.h"

namespace millrace::interop {

struct Tally {
  std::size_t messages = 0;
  std::size_t bytes = 0;
};

// Ledger keeps what was sent until its echo comes, and counts every way in which an echo
// can be wrong.
class Ledger {
 public:
  explicit Ledger(bool ordered) : ordered_(ordered) {}

  void note(Message message, Time now);
  void accept(bool text, const std::string& data);
  // Gives up what has waited for `age`; if it comes after all, it has arrived.
  void expire(Time now, Duration age);

  std::size_t outstanding() const { return outstanding_.size(); }
  std::size_t outstanding_bytes() const { return outstanding_bytes_; }

  Tally sent;
  Tally received;
  std::size_t damaged = 0;
  std::size_t duplicated = 0;
  std::size_t out_of_order = 0;

 private:
  using Messages = std::map<std::size_t, Message>;

  void settle(Messages& from, Messages::iterator at);
  void accept_tagged(std::size_t tag, bool text, const std::string& data);
  void accept_by_content(bool text, const std::string& data);

  bool ordered_;
  Messages outstanding_;
  Messages expired_;
  std::size_t outstanding_bytes_ = 0;
  std::size_t next_ = 0;  // One more than the highest index received.
};

}  // namespace millrace::interop
