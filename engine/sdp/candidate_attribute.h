// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "engine/ice/candidate.h"

namespace millrace::sdp {

// CandidateUse says whether a candidate can be used, and if not, why.
enum class CandidateUse : std::uint8_t {
  kUsable,
  kMalformed,
  kTransport,  // Not UDP.
  kComponent,  // Not component 1: RTCP of old.
  kHostName,   // A name, mostly mDNS "<uuid>.local"; millrace resolves none.
  kExcess,     // Beyond kMaxCandidates.
  kCount,
};

struct CandidateParse {
  CandidateUse use = CandidateUse::kMalformed;
  ice::Candidate candidate;  // Set for kUsable.
};

// parse_candidate reads the value of a=candidate (RFC 8839 §5.1), with or without the
// word "candidate:" before it. Extensions are ignored.
CandidateParse parse_candidate(std::string_view value);

// format_candidate writes "candidate:<foundation> 1 udp <priority> <ip> <port> typ host".
std::string format_candidate(const ice::Candidate& candidate);

}  // namespace millrace::sdp
