// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "engine/base/address.h"

namespace millrace::ice {

// CandidateType names how a candidate's address was learnt (RFC 8445 §5.1.1).
enum class CandidateType : std::uint8_t { kHost, kServerReflexive, kPeerReflexive, kRelayed };

// By type, as SDP (RFC 8839 §5.1) and W3C's RTCIceCandidateType have them.
inline constexpr std::array<std::string_view, 4> kCandidateTypeNames = {"host", "srflx", "prflx",
                                                                        "relay"};

// Candidate is a UDP transport address of component 1 that a peer may be reached at.
struct Candidate {
  std::string foundation;
  std::uint32_t priority = 0;
  Address address;
  CandidateType type = CandidateType::kHost;

  friend bool operator==(const Candidate&, const Candidate&) = default;
};

// CandidatePair is a path: the peer's address, and the local IP address that its
// datagrams are sent to (`IpAddress{}` where the datapath does not know it). The local
// port is the socket's.
struct CandidatePair {
  Address remote;
  IpAddress local;

  [[gnu::always_inline]] friend bool operator==(const CandidatePair& a, const CandidatePair& b) {
    return a.remote == b.remote && a.local == b.local;
  }
};

// candidate_priority computes RFC 8445 §5.1.2.1 for component 1. Of candidates of one
// type the larger `local_preference` wins.
std::uint32_t candidate_priority(CandidateType type, std::uint16_t local_preference);

// pair_priority computes RFC 8445 §6.1.2.3.
std::uint64_t pair_priority(std::uint32_t controlling, std::uint32_t controlled);

// make_host_candidate describes the local address with rank `index`: 0 is preferred
// most. Each index is a foundation of its own.
Candidate make_host_candidate(const Address& address, std::uint16_t index);

}  // namespace millrace::ice
