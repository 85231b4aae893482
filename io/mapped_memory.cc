// SPDX-License-Identifier: Apache-2.0
#include "io/mapped_memory.h"

#include <sys/mman.h>

#include "engine/base/check.h"

namespace millrace::io {

MappedMemory::MappedMemory(std::size_t bytes) : data_(nullptr), bytes_(bytes) {
  CHECK(bytes > 0);
  void* const memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  CHECK(memory != MAP_FAILED);
  data_ = static_cast<std::uint8_t*>(memory);
}

MappedMemory::~MappedMemory() { munmap(data_, bytes_); }

}  // namespace millrace::io
