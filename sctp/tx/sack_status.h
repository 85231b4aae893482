// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace millrace::sctp {

enum class SackStatus : std::uint8_t {
  kProcessed,
  kStale,    // Its cumulative TSN lies behind the one known (RFC 9260 §6.2.1 D i).
  kInvalid,  // It acknowledges TSNs never sent, or its gap blocks are out of order.
};

}  // namespace millrace::sctp
