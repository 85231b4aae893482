// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

namespace millrace::cli {

// Who sends as fast as a channel takes it stops at kHighWater bytes queued and goes on at
// kLowWater (W3C bufferedAmountLowThreshold). That is several turns' worth, so the sender never
// runs dry, and little enough for what waits to stay in the processor's cache until it is
// sealed: with 1 MiB bulk is a tenth slower, with the 8 MiB of a send buffer a fifth.
inline constexpr std::size_t kHighWater = std::size_t{512} << 10;
inline constexpr std::size_t kLowWater = std::size_t{256} << 10;

}  // namespace millrace::cli
