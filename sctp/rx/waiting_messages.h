// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "sctp/rx/seeded_table.h"
#include "sctp/types.h"

namespace millrace::sctp {

// WaitingMessages finds a whole ordered message, which waits for its turn, by stream and
// SSN. Its size follows what is held, which the receive window bounds.
class WaitingMessages {
 public:
  explicit WaitingMessages(std::uint64_t seed) : table_(seed) {}

  bool empty() const { return table_.empty(); }

  // Remembers that the message begins at `first`; false if there is one of that number.
  bool insert(StreamId stream, Ssn ssn, UnwrappedTsn first) {
    return table_.insert(key_of(stream, ssn), first);
  }
  // Removes and returns it.
  std::optional<UnwrappedTsn> take(StreamId stream, Ssn ssn) {
    return table_.take(key_of(stream, ssn));
  }
  void trim() { table_.trim(); }

 private:
  static constexpr std::uint32_t key_of(StreamId stream, Ssn ssn) {
    return (std::uint32_t{stream.value()} << 16) | ssn.value();
  }

  SeededTable<std::uint32_t, UnwrappedTsn> table_;
};

}  // namespace millrace::sctp
