// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>

#include "engine/base/bytes.h"
#include "sctp/types.h"

namespace millrace::sctp {

// MessageView lends a received message, or a part of one, for as long as the call that
// gave it says. Its bytes are the concatenation of `pieces`, which lie where they were
// received: one piece for a message that came in one chunk, more for fragments.
//
// A whole message has `offset` 0 and `last` set. Parts of one message come in order,
// without others of their stream between them; `aborted` ends a message whose rest will
// never come and has no bytes.
struct MessageView {
  StreamId stream;
  Ppid ppid;
  bool unordered = false;
  bool last = true;
  bool aborted = false;
  std::size_t offset = 0;  // Of the first byte of `pieces` in the message.
  std::size_t size = 0;    // Sum of the sizes of `pieces`.
  std::span<const ByteSpan> pieces;
};

}  // namespace millrace::sctp
