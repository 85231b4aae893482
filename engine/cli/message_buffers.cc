// SPDX-License-Identifier: Apache-2.0
#include "engine/cli/message_buffers.h"

#include <utility>

#include "engine/base/check.h"

namespace millrace::cli {

struct MessageBuffers::Buffer {
  std::vector<std::uint8_t> bytes;
  std::shared_ptr<Shelf> home;  // While it is under way.
};

struct MessageBuffers::Shelf {
  std::vector<std::uint8_t> pattern;
  // With room for all there are: taking one back must not fail.
  std::vector<std::unique_ptr<Buffer>> free;
  std::size_t made = 0;
};

MessageBuffers::MessageBuffers(std::span<const std::uint8_t> pattern)
    : shelf_(std::make_shared<Shelf>()) {
  shelf_->pattern.assign(pattern.begin(), pattern.end());
}

MessageBuffers::~MessageBuffers() = default;

std::span<std::uint8_t> MessageBuffers::next() {
  Shelf& shelf = *shelf_;
  if (shelf.free.empty()) {
    shelf.free.reserve(++shelf.made);
    shelf.free.push_back(std::make_unique<Buffer>(Buffer{shelf.pattern, nullptr}));
  }
  return shelf.free.back()->bytes;
}

OwnedBytes MessageBuffers::hand_over() {
  CHECK(!shelf_->free.empty());
  Buffer* const buffer = shelf_->free.back().release();
  shelf_->free.pop_back();
  buffer->home = shelf_;
  return OwnedBytes(buffer->bytes, &give_back, buffer);
}

void MessageBuffers::give_back(void* context, std::span<const std::uint8_t>) noexcept {
  std::unique_ptr<Buffer> buffer(static_cast<Buffer*>(context));
  const std::shared_ptr<Shelf> home = std::move(buffer->home);
  home->free.push_back(std::move(buffer));
}

}  // namespace millrace::cli
