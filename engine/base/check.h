// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace millrace {

// check_failed reports a violated invariant on stderr and aborts. It is reached
// only through CHECK and DCHECK: an error of ours, never one of a peer's.
[[noreturn]] void check_failed(const char* file, int line, const char* expression);

}  // namespace millrace

// CHECK stays on in every build. It guards what memory safety rests upon.
#define CHECK(expression)                                                                         \
  (__builtin_expect(!(expression), 0) ? ::millrace::check_failed(__FILE__, __LINE__, #expression) \
                                      : static_cast<void>(0))

// DCHECK is for hot loops: on in debug and sanitizer builds (which the tests use),
// compiled out where NDEBUG is set.
#ifdef NDEBUG
#define DCHECK(expression) static_cast<void>(sizeof((expression) ? 1 : 0))
#else
#define DCHECK(expression) CHECK(expression)
#endif
