// SPDX-License-Identifier: Apache-2.0
#include "engine/ice/candidate.h"

#include <algorithm>

namespace millrace::ice {
namespace {

// RFC 8445 §5.1.2.2: the recommended type preferences.
std::uint32_t type_preference(CandidateType type) {
  switch (type) {
    case CandidateType::kHost:
      return 126;
    case CandidateType::kPeerReflexive:
      return 110;
    case CandidateType::kServerReflexive:
      return 100;
    case CandidateType::kRelayed:
      return 0;
  }
  return 0;
}

}  // namespace

std::uint32_t candidate_priority(CandidateType type, std::uint16_t local_preference) {
  constexpr std::uint32_t kComponent = 1;
  return (type_preference(type) << 24) | (std::uint32_t{local_preference} << 8) |
         (256 - kComponent);
}

std::uint64_t pair_priority(std::uint32_t controlling, std::uint32_t controlled) {
  const std::uint64_t low = std::min(controlling, controlled);
  const std::uint64_t high = std::max(controlling, controlled);
  return (low << 32) + 2 * high + (controlling > controlled ? 1 : 0);
}

Candidate make_host_candidate(const Address& address, std::uint16_t index) {
  const auto preference = static_cast<std::uint16_t>(UINT16_MAX - index);
  return Candidate{.foundation = std::to_string(index + 1),
                   .priority = candidate_priority(CandidateType::kHost, preference),
                   .address = address,
                   .type = CandidateType::kHost};
}

}  // namespace millrace::ice
