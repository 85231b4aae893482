// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

namespace millrace::io {

// MappedMemory is an anonymous private mapping, zeroed, whose pages come into being
// when they are first touched. Running out of address space is a CHECK failure: sizes
// are fixed by options at start.
class MappedMemory {
 public:
  explicit MappedMemory(std::size_t bytes);
  ~MappedMemory();
  MappedMemory(const MappedMemory&) = delete;
  MappedMemory& operator=(const MappedMemory&) = delete;

  std::uint8_t* data() const { return data_; }
  std::size_t size() const { return bytes_; }

 private:
  std::uint8_t* data_;
  std::size_t bytes_;
};

}  // namespace millrace::io
