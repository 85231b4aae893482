// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "millrace/channel.h"
#include "millrace/message.h"

namespace millrace::cli {

// StoredMessage is a message, or a part of one, that outlives the call that delivered it.
struct StoredMessage {
  MessageKind kind = MessageKind::kBinary;
  std::vector<std::uint8_t> bytes;
  bool part = false;     // It is a part,
  bool last = false;     // and the last one.
  std::size_t cost = 0;  // What its channel was charged for it.
};

// What the heap adds to a block at the most: words of its own, and what it rounds up.
constexpr std::size_t kHeapOverhead = 32;
// What a stored message takes beside its bytes, and an empty one, too: the node of the list
// with its two pointers, and two blocks.
constexpr std::size_t kStoredMessageCost =
    sizeof(StoredMessage) + 2 * sizeof(void*) + 2 * kHeapOverhead;

// SourceOrder is what a `source` channel's protocol asks for.
struct SourceOrder {
  std::size_t size = 1000;
  std::uint64_t count = 0;  // 0: no end.
  double rate = 0;          // Messages a second; 0: as fast as they are taken.

  // Parses "size=1000&count=0&rate=max". Unknown keys are for other servers and ignored;
  // nothing for a value that is none.
  static std::optional<SourceOrder> parse(std::string_view query);
};

enum class Behaviour : std::uint8_t { kIgnore, kEcho, kSink, kSource, kRelay };
Behaviour behaviour_of(std::string_view label);

// ServeChannel is what `serve` knows of one open channel.
struct ServeChannel {
  Channel channel;
  Behaviour behaviour = Behaviour::kIgnore;
  bool reliable = true;
  bool closing = false;
  std::size_t slot = 0;
  std::uint64_t generation = 0;

  // Waiting for room, in order. A list, for most have none: it takes no memory when empty.
  std::list<StoredMessage> backlog;
  std::size_t backlog_cost = 0;       // Of all that is in it.
  std::vector<std::uint8_t> partial;  // A message that comes in parts and is passed on whole.
  std::size_t partial_cost = 0;

  // echo: of the message that goes back in parts
  bool in_parts = false;  // some are sent, and the last is not;
  bool skipping = false;  // what still comes of it is not wanted.

  // sink
  std::uint64_t messages = 0;
  std::uint64_t bytes = 0;
  Time first_message{};
  unsigned reports_owed = 0;

  // source
  SourceOrder order;
  std::uint64_t sent = 0;
  std::uint64_t part_offset = 0;  // Of the message that is being sent in parts.
  Time started{};
  bool blocked = false;
  bool scheduled = false;

  std::string label;  // relay
};

}  // namespace millrace::cli
