// SPDX-License-Identifier: Apache-2.0
#include "sctp/event.h"
#include "sctp/stats.h"

namespace millrace::sctp {

std::string_view to_string(CloseReason reason) {
  switch (reason) {
    case CloseReason::kNone:
      return "none";
    case CloseReason::kShutdown:
      return "shutdown";
    case CloseReason::kPeerShutdown:
      return "peer_shutdown";
    case CloseReason::kAborted:
      return "aborted";
    case CloseReason::kPeerAborted:
      return "peer_aborted";
    case CloseReason::kSetupTimeout:
      return "setup_timeout";
    case CloseReason::kSetupRefused:
      return "setup_refused";
    case CloseReason::kTooManyRetransmits:
      return "too_many_retransmits";
    case CloseReason::kShutdownTimeout:
      return "shutdown_timeout";
    case CloseReason::kProtocolViolation:
      return "protocol_violation";
  }
  return "unknown";
}

std::string_view to_string(DropReason reason) {
  switch (reason) {
    case DropReason::kMalformedPacket:
      return "malformed_packet";
    case DropReason::kWrongChecksum:
      return "wrong_checksum";
    case DropReason::kWrongPort:
      return "wrong_port";
    case DropReason::kWrongVerificationTag:
      return "wrong_verification_tag";
    case DropReason::kMalformedChunk:
      return "malformed_chunk";
    case DropReason::kMalformedParameter:
      return "malformed_parameter";
    case DropReason::kBundledInit:
      return "bundled_init";
    case DropReason::kUnknownChunk:
      return "unknown_chunk";
    case DropReason::kUnexpectedState:
      return "unexpected_state";
    case DropReason::kOutOfTheBlue:
      return "out_of_the_blue";
    case DropReason::kBadCookie:
      return "bad_cookie";
    case DropReason::kStaleCookie:
      return "stale_cookie";
    case DropReason::kCookieTagMismatch:
      return "cookie_tag_mismatch";
    case DropReason::kUnknownHeartbeat:
      return "unknown_heartbeat";
    case DropReason::kDuplicateData:
      return "duplicate_data";
    case DropReason::kDataOutsideWindow:
      return "data_outside_window";
    case DropReason::kInvalidStream:
      return "invalid_stream";
    case DropReason::kBadSack:
      return "bad_sack";
    case DropReason::kBadForwardTsn:
      return "bad_forward_tsn";
    case DropReason::kBadReconfig:
      return "bad_reconfig";
    case DropReason::kControlQueueFull:
      return "control_queue_full";
  }
  return "unknown";
}

}  // namespace millrace::sctp
