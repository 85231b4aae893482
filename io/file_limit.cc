// SPDX-License-Identifier: Apache-2.0
#include <sys/resource.h>

#include <algorithm>

#include "io/datapath.h"

namespace millrace::io {

std::size_t raise_file_limit(std::size_t descriptors) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  if (limit.rlim_cur >= descriptors) return limit.rlim_cur;
  // The hard limit is a privileged matter; most often the soft one will do.
  const rlimit wish{.rlim_cur = descriptors,
                    .rlim_max = std::max<rlim_t>(limit.rlim_max, descriptors)};
  if (setrlimit(RLIMIT_NOFILE, &wish) == 0) return wish.rlim_cur;
  limit.rlim_cur = std::min<rlim_t>(descriptors, limit.rlim_max);
  setrlimit(RLIMIT_NOFILE, &limit);
  getrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur;
}

}  // namespace millrace::io
