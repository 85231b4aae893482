// SPDX-License-Identifier: Apache-2.0
#include "engine/base/check.h"

#include <cstdio>
#include <cstdlib>

namespace millrace {

void check_failed(const char* file, int line, const char* expression) {
  std::fprintf(stderr, "millrace: %s:%d: check failed: %s\n", file, line, expression);
  std::abort();
}

}  // namespace millrace
