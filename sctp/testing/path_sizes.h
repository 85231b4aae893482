// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

#include "engine/base/time.h"

namespace millrace::sctp::testing {

// Packets' sizes on paths that tests search, and such a path's times.
inline constexpr std::size_t kMin = 468;
inline constexpr std::size_t kBase = 1160;
inline constexpr std::size_t kEthernet = 1432;  // IPv4, 1500 bytes.
inline constexpr std::size_t kJumbo = 8932;     // IPv4, 9000 bytes.
inline constexpr Duration kRto = milliseconds(50);
inline constexpr Duration kRtt = milliseconds(10);

}  // namespace millrace::sctp::testing
