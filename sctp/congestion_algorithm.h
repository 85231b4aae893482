// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace millrace::sctp {

// CongestionAlgorithm names what decides how much may be in flight.
enum class CongestionAlgorithm : std::uint8_t {
  kCubic,    // RFC 9438, its slow start ended by HyStart++ (RFC 9406).
  kNewReno,  // RFC 9260 §7.2.
};

}  // namespace millrace::sctp
