// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engine/base/bytes.h"

namespace millrace::test {

// What hostile runs are judged by, whatever carries their messages: a payload says which
// message it is, and all else in it follows from that.

inline constexpr std::size_t kTagBytes = 16;

// MessageTag names a message. Numbers grow over all messages of a run.
struct MessageTag {
  std::uint32_t epoch = 0;  // Of the sender: its time between two losses of state.
  std::uint32_t life = 0;   // Of the stream: its time between two resets.
  std::uint32_t number = 0;
  std::uint16_t stream = 0;
  std::uint16_t sender = 0;
};

// tagged_payload is the message of `size` bytes, at least kTagBytes, that `tag` names.
std::vector<std::uint8_t> tagged_payload(const MessageTag& tag, std::size_t size);

// read_tag finds out which message it is; nothing for one that nobody can have sent.
std::optional<MessageTag> read_tag(ByteSpan payload);

// ArrivedMessages is what one life of a stream has brought to its receiver.
class ArrivedMessages {
 public:
  // Returns what is wrong with the message's coming now; empty: nothing.
  std::string note(std::uint32_t number, bool ordered);
  std::size_t count() const { return seen_.size(); }
  // Holds it against all that was sent in that life, in any order: nothing may have come that was
  // not, and nothing reliable be missing. Empty: all is as it should be.
  std::string judge(std::vector<std::uint32_t> sent, bool reliable) const;

 private:
  std::uint32_t newest_ = 0;
  std::set<std::uint32_t> seen_;
};

}  // namespace millrace::test
