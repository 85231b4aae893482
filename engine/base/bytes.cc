// SPDX-License-Identifier: Apache-2.0
#include "engine/base/bytes.h"

namespace millrace {

CopyCounters& copy_counters() {
  thread_local CopyCounters counters;
  return counters;
}

}  // namespace millrace
