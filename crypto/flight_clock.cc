// SPDX-License-Identifier: Apache-2.0
#include "crypto/flight_clock.h"

namespace millrace::crypto {
namespace {

constexpr std::int64_t kOriginMicroseconds = 86'400'000'000;

thread_local std::int64_t current = kOriginMicroseconds;

}  // namespace

FlightClock::FlightClock(Time now) {
  current = kOriginMicroseconds +
            std::chrono::duration_cast<microseconds>(now.time_since_epoch()).count();
}

FlightClock::~FlightClock() { current = kOriginMicroseconds; }

std::int64_t FlightClock::now_microseconds() { return current; }

}  // namespace millrace::crypto
