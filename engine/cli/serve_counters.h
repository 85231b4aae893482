// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "millrace/types.h"

namespace millrace::cli {

// ServeCounters are counted by the shards and read by the HTTP thread. All of them are
// rare events: sharing a line between shards costs nothing.
struct ServeCounters {
  static constexpr std::size_t kReasons = static_cast<std::size_t>(CloseReason::kResourceLimit) + 1;

  std::array<std::atomic<std::uint64_t>, kReasons> sessions_closed{};
  std::atomic<std::uint64_t> channels_closed_slow{0};     // Reliable, backlog full.
  std::atomic<std::uint64_t> channels_closed_refused{0};  // A `source` whose order made no sense.
  std::atomic<std::uint64_t> messages_dropped_slow{0};    // Unreliable, backlog full.
};

}  // namespace millrace::cli
