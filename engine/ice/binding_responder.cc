// SPDX-License-Identifier: Apache-2.0
#include "engine/ice/binding_responder.h"

#include <algorithm>
#include <array>

#include "engine/ice/stun_writer.h"

namespace millrace::ice {

CheckVerdict verify_binding_request(const StunMessageView& request, const Credentials& local,
                                    std::string_view remote_ufrag, const Mac& mac) {
  if (!request.is_binding(StunClass::kRequest)) return CheckVerdict::kNotABindingRequest;
  // RFC 8489 §9.1.3: in this order.
  if (request.username().empty() || !request.has_message_integrity()) {
    return CheckVerdict::kNoCredentials;
  }
  if (local_ufrag_of(request) != local.ufrag) return CheckVerdict::kWrongUsername;
  if (!remote_ufrag.empty() && remote_ufrag_of(request) != remote_ufrag) {
    return CheckVerdict::kWrongUsername;
  }
  if (!request.has_integrity(local.pwd, mac)) return CheckVerdict::kWrongIntegrity;
  // RFC 8489 §6.3.1: only an authenticated request is told which attributes.
  if (!request.unknown_required().empty()) return CheckVerdict::kUnknownAttribute;
  return CheckVerdict::kAccepted;
}

OwedResponse owe_response(const StunMessageView& request, CheckVerdict verdict) {
  OwedResponse owed{.id = request.transaction_id(),
                    .verdict = verdict,
                    .request_bytes = static_cast<std::uint16_t>(
                        std::min<std::size_t>(request.bytes().size(), UINT16_MAX))};
  for (const std::uint16_t type : request.unknown_required()) {
    owed.unknown[owed.unknown_count++] = type;
  }
  return owed;
}

std::size_t write_check_response(const OwedResponse& owed, const Address& source,
                                 std::string_view local_pwd, const Mac& mac, MutableByteSpan out) {
  const TransactionId& id = owed.id;
  // RFC 8489 §9.1.3: 400 and 401 carry no MESSAGE-INTEGRITY. The bound on their room
  // keeps a forged source address from being sent more than the forger spent.
  const MutableByteSpan bounded = out.first(std::min<std::size_t>(out.size(), owed.request_bytes));
  switch (owed.verdict) {
    case CheckVerdict::kAccepted:
      return build_binding_success(id, source, local_pwd, mac, out);
    case CheckVerdict::kNoCredentials:
      return build_binding_error(id, kErrorBadRequest, {}, {}, mac, bounded);
    case CheckVerdict::kWrongUsername:
    case CheckVerdict::kWrongIntegrity:
      return build_binding_error(id, kErrorUnauthenticated, {}, {}, mac, bounded);
    case CheckVerdict::kUnknownAttribute:
      return build_binding_error(id, kErrorUnknownAttribute,
                                 std::span(owed.unknown).first(owed.unknown_count), local_pwd, mac,
                                 out);
    case CheckVerdict::kRoleConflict:
      return build_binding_error(id, kErrorRoleConflict, {}, local_pwd, mac, out);
    case CheckVerdict::kNotABindingRequest:
    case CheckVerdict::kReplayed:
    case CheckVerdict::kNoRoom:
    case CheckVerdict::kCount:
      return 0;
  }
  return 0;
}

CheckAnswer judge_lite_check(const StunMessageView& request, const Credentials& local,
                             std::string_view remote_ufrag, const Mac& mac) {
  CheckAnswer answer;
  answer.verdict = verify_binding_request(request, local, remote_ufrag, mac);
  if (answer.verdict != CheckVerdict::kAccepted) return answer;
  // RFC 8445 §7.3.1.1, as far as it applies to an agent that never switches.
  if (request.controlled()) {
    answer.verdict = CheckVerdict::kRoleConflict;
    return answer;
  }
  answer.use_candidate = request.use_candidate();
  answer.priority = request.priority().value_or(0);
  return answer;
}

CheckAnswer answer_binding_request(const StunMessageView& request, const Credentials& local,
                                   std::string_view remote_ufrag, const Address& source,
                                   const Mac& mac, MutableByteSpan out) {
  CheckAnswer answer = judge_lite_check(request, local, remote_ufrag, mac);
  answer.response_bytes =
      write_check_response(owe_response(request, answer.verdict), source, local.pwd, mac, out);
  return answer;
}

}  // namespace millrace::ice
