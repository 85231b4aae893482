// SPDX-License-Identifier: Apache-2.0
#include "crypto/dtls_counters.h"

namespace millrace::crypto {

std::string_view to_string(DropReason reason) {
  switch (reason) {
    case DropReason::kMalformed:
      return "malformed";
    case DropReason::kBadVersion:
      return "bad_version";
    case DropReason::kUnexpectedType:
      return "unexpected_type";
    case DropReason::kUnexpectedEpoch:
      return "unexpected_epoch";
    case DropReason::kReplayed:
      return "replayed";
    case DropReason::kUnauthentic:
      return "unauthentic";
    case DropReason::kHandshakeOverrun:
      return "handshake_overrun";
    case DropReason::kEarlyOverrun:
      return "early_overrun";
    case DropReason::kQueueFull:
      return "queue_full";
    case DropReason::kStaleHandshake:
      return "stale_handshake";
    case DropReason::kClosed:
      return "closed";
    case DropReason::kCount:
      break;
  }
  return "unknown";
}

}  // namespace millrace::crypto
