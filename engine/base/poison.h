// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

// GCC says it by a macro, Clang as a feature.
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define MILLRACE_ASAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define MILLRACE_ASAN 1
#endif

#ifdef MILLRACE_ASAN
#include <sanitizer/asan_interface.h>
#endif

namespace millrace {

// poison makes any access to the bytes an AddressSanitizer report, until `unpoison`;
// both do nothing in other builds.
inline void poison([[maybe_unused]] const void* data, [[maybe_unused]] std::size_t bytes) {
#ifdef MILLRACE_ASAN
  __asan_poison_memory_region(data, bytes);
#endif
}
inline void unpoison([[maybe_unused]] const void* data, [[maybe_unused]] std::size_t bytes) {
#ifdef MILLRACE_ASAN
  __asan_unpoison_memory_region(data, bytes);
#endif
}

}  // namespace millrace
