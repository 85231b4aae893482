// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "engine/base/address.h"
#include "engine/base/bytes.h"
#include "engine/base/mac.h"
#include "engine/ice/credentials.h"
#include "engine/ice/stun_message.h"

namespace millrace::ice {

// CheckVerdict says what became of an inbound connectivity check.
enum class CheckVerdict : std::uint8_t {
  kAccepted,            // Authenticated, answered with success.
  kNotABindingRequest,  // Dropped.
  kNoCredentials,       // 400: USERNAME or MESSAGE-INTEGRITY is missing.
  kWrongUsername,       // 401.
  kWrongIntegrity,      // 401.
  kUnknownAttribute,    // Authenticated, 420.
  kRoleConflict,        // Authenticated, 487.
  kReplayed,            // A transaction id seen on another path; dropped.
  kNoRoom,              // Authenticated by a path that found no slot; dropped.
  kCount,
};

// CheckAnswer is a verdict and what the caller needs to act on it.
struct CheckAnswer {
  CheckVerdict verdict = CheckVerdict::kNotABindingRequest;
  bool use_candidate = false;      // Meaningful for kAccepted.
  std::uint32_t priority = 0;      // The peer-reflexive candidate's; 0 where absent.
  std::size_t response_bytes = 0;  // Written to `out`; 0: send nothing.
};

// verify_binding_request authenticates a check without answering it: kAccepted,
// kUnknownAttribute or one of the refusals above kRoleConflict. An empty
// `remote_ufrag` means that it is not known yet and any is taken.
CheckVerdict verify_binding_request(const StunMessageView& request, const Credentials& local,
                                    std::string_view remote_ufrag, const Mac& mac);

// OwedResponse is what must be kept of a check to answer it later.
struct OwedResponse {
  TransactionId id{};
  CheckVerdict verdict = CheckVerdict::kNotABindingRequest;
  std::uint16_t request_bytes = 0;
  std::uint8_t unknown_count = 0;
  std::array<std::uint16_t, StunMessageView::kMaxUnknown> unknown{};
};
OwedResponse owe_response(const StunMessageView& request, CheckVerdict verdict);

// write_check_response writes the answer that a verdict calls for and returns its length,
// 0 for none. An unauthenticated sender is never sent more bytes than it spent, so that
// the agent amplifies nothing. `out` should hold kMaxStunBytes.
std::size_t write_check_response(const OwedResponse& owed, const Address& source,
                                 std::string_view local_pwd, const Mac& mac, MutableByteSpan out);

// judge_lite_check decides as an ICE-lite agent does (RFC 8445 §7.3), without answering.
//
// RFC 8445 §7.3.1.1: a lite agent is always the controlled one (§6.1.1), so a request
// with ICE-CONTROLLED is a conflict that it never settles by switching: the answer is
// 487, upon which the sender must become controlling (§7.2.5.1).
CheckAnswer judge_lite_check(const StunMessageView& request, const Credentials& local,
                             std::string_view remote_ufrag, const Mac& mac);

// answer_binding_request judges a check and writes the answer. Both are pure functions, so
// that any thread may call them for a session that no thread owns.
CheckAnswer answer_binding_request(const StunMessageView& request, const Credentials& local,
                                   std::string_view remote_ufrag, const Address& source,
                                   const Mac& mac, MutableByteSpan out);

}  // namespace millrace::ice
