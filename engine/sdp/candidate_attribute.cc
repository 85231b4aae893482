// SPDX-License-Identifier: Apache-2.0
#include "engine/sdp/candidate_attribute.h"

#include <algorithm>
#include <array>
#include <optional>

#include "engine/sdp/text.h"

namespace millrace::sdp {
namespace {

constexpr std::size_t kMaxFoundationChars = 32;  // RFC 8839 §5.1.

std::optional<ice::CandidateType> candidate_type_of(std::string_view name) {
  const auto& names = ice::kCandidateTypeNames;
  const auto at = std::find(names.begin(), names.end(), name);
  if (at == names.end()) return std::nullopt;
  return static_cast<ice::CandidateType>(at - names.begin());
}

// True for what can be a domain name but no numeric address. mDNS names end in
// ".local"; any name is left alone (RFC 8839 §5.1: FQDN candidates may be ignored).
bool is_host_name(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_';
  });
}

// A zone (%eth0) names an interface of the sender's and must not be looked up here.
std::optional<IpAddress> parse_ip(std::string_view host) {
  if (host.find_first_of("%[]") != std::string_view::npos) return std::nullopt;
  return IpAddress::parse(host);
}

// RFC 8445 §5.1.1.1: not to be used as candidates.
bool is_v4_mapped(const IpAddress& ip) {
  constexpr std::array<std::uint8_t, 12> kPrefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
  return ip.is_v6() && std::equal(kPrefix.begin(), kPrefix.end(), ip.bytes.begin());
}

}  // namespace

CandidateParse parse_candidate(std::string_view value) {
  constexpr std::string_view kPrefix = "candidate:";
  if (value.starts_with(kPrefix)) value.remove_prefix(kPrefix.size());
  const std::string_view foundation = next_word(value);
  const auto component = parse_number<std::uint32_t>(next_word(value));
  const std::string_view transport = next_word(value);
  const auto priority = parse_number<std::uint32_t>(next_word(value));
  const std::string_view host = next_word(value);
  const auto port = parse_number<std::uint16_t>(next_word(value));
  const bool has_type = next_word(value) == "typ";
  const std::optional<ice::CandidateType> type = candidate_type_of(next_word(value));

  CandidateParse out;
  if (foundation.empty() || foundation.size() > kMaxFoundationChars || !component || !priority ||
      !port || !has_type || !type) {
    return out;
  }
  if (!equals_ignoring_case(transport, "udp")) {
    out.use = CandidateUse::kTransport;
    return out;
  }
  if (*component != 1) {
    out.use = CandidateUse::kComponent;
    return out;
  }
  const std::optional<IpAddress> ip = parse_ip(host);
  if (!ip) {
    if (is_host_name(host)) out.use = CandidateUse::kHostName;
    return out;
  }
  if (*port == 0 || ip->is_unspecified() || is_v4_mapped(*ip)) return out;
  out.use = CandidateUse::kUsable;
  out.candidate = ice::Candidate{.foundation = std::string(foundation),
                                 .priority = *priority,
                                 .address = Address{*ip, *port},
                                 .type = *type};
  return out;
}

std::string format_candidate(const ice::Candidate& candidate) {
  IpAddress ip = candidate.address.ip;
  ip.scope_id = 0;  // It means something on this host alone.
  return "candidate:" + candidate.foundation + " 1 udp " + std::to_string(candidate.priority) +
         " " + ip.to_string() + " " + std::to_string(candidate.address.port) + " typ " +
         std::string(ice::kCandidateTypeNames[static_cast<std::size_t>(candidate.type)]);
}

}  // namespace millrace::sdp
