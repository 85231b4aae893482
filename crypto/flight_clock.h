// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "engine/base/time.h"

namespace millrace::crypto {

// FlightClock is what BoringSSL sees as the time on this thread while one is in scope:
// its callback for the time is told nothing of the SSL that asks. Scopes do not nest.
class FlightClock {
 public:
  explicit FlightClock(Time now);
  ~FlightClock();
  FlightClock(const FlightClock&) = delete;
  FlightClock& operator=(const FlightClock&) = delete;

  // Microseconds, positive whatever the shard's clock counts from: BoringSSL takes a
  // timer at zero for one that is not set.
  static std::int64_t now_microseconds();
};

}  // namespace millrace::crypto
