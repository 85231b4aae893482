// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace millrace::io {

// allocation_count is how often this test program has called operator new.
std::uint64_t allocation_count();

}  // namespace millrace::io
