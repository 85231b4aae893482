// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/base/time.h"

namespace millrace::interop {

// Messages of this size or more begin with their index.
inline constexpr std::size_t kTagged = 8;

struct Message {
  std::size_t index = 0;
  bool text = false;
  std::string data;
  Time at{};
};

// Traffic makes the messages of one run: a function of seed and index, so that any damage
// shows. README.md, "The messages", is the definition that all the peers follow.
class Traffic {
 public:
  // `fixed`: all are of the largest size.
  Traffic(std::uint32_t seed, std::size_t max_size, bool empties, bool fixed);

  std::size_t size(std::size_t index) const;
  Message message(std::size_t index) const;

 private:
  std::uint32_t random(std::size_t index) const;

  std::uint32_t seed_;
  std::size_t max_size_;
  bool empties_;
  bool fixed_;
  std::string binary_;
  std::string text_;
};

// The index that a received message claims to have.
std::optional<std::size_t> tag_of(bool text, const std::string& data);

}  // namespace millrace::interop
