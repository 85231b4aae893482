// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace millrace::io {

// allocation_count is how often this test program has called operator new.
std::uint64_t allocation_count();

// live_heap_bytes is what this thread has taken by operator new and not given back, as large as
// malloc made it; what one thread takes and another gives back is wrong in both.
std::int64_t live_heap_bytes();

}  // namespace millrace::io
