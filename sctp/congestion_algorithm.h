// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace millrace::sctp {

// CongestionAlgorithm names what decides how much may be in flight.
enum class CongestionAlgorithm : std::uint8_t {
  kCubic,      // RFC 9438, its slow start ended by HyStart++ (RFC 9406).
  kNewReno,    // RFC 9260 §7.2.
  kBbr,        // draft-ietf-ccwg-bbr: version 3.
  kTfrc,       // RFC 5348.
  kFixedRate,  // A given rate, whatever is lost: for laboratories.
};

struct CongestionAlgorithmName {
  CongestionAlgorithm algorithm;
  std::string_view name;
};

// The names by which settings and statistics know them.
inline constexpr std::array<CongestionAlgorithmName, 5> kCongestionAlgorithms{{
    {CongestionAlgorithm::kCubic, "cubic"},
    {CongestionAlgorithm::kNewReno, "newreno"},
    {CongestionAlgorithm::kBbr, "bbr"},
    {CongestionAlgorithm::kTfrc, "tfrc"},
    {CongestionAlgorithm::kFixedRate, "fixed"},
}};

constexpr std::string_view to_string(CongestionAlgorithm algorithm) {
  return kCongestionAlgorithms[static_cast<std::size_t>(algorithm)].name;
}

constexpr std::optional<CongestionAlgorithm> parse_congestion_algorithm(std::string_view name) {
  for (const CongestionAlgorithmName& known : kCongestionAlgorithms) {
    if (known.name == name) return known.algorithm;
  }
  return std::nullopt;
}

}  // namespace millrace::sctp
