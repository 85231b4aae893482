// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "engine/base/owned_bytes.h"

namespace millrace::cli {

// MessageBuffers lends a sender the memory of its messages and takes it back once the peer
// has them, so that none is copied on its way into the send queue. One thread uses it; what
// is still under way when it goes is freed when it comes back.
class MessageBuffers {
 public:
  // Buffers begin as copies of `pattern`.
  explicit MessageBuffers(std::span<const std::uint8_t> pattern);
  ~MessageBuffers();
  MessageBuffers(const MessageBuffers&) = delete;
  MessageBuffers& operator=(const MessageBuffers&) = delete;

  // The buffer that `hand_over` gives away: write the message into it.
  std::span<std::uint8_t> next();
  OwnedBytes hand_over();

 private:
  struct Buffer;
  struct Shelf;  // Outlives the buffers that are under way.

  static void give_back(void* context, std::span<const std::uint8_t> bytes) noexcept;

  std::shared_ptr<Shelf> shelf_;
};

}  // namespace millrace::cli
