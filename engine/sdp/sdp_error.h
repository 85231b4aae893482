// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

namespace millrace::sdp {

// SdpError says why a description was refused.
struct SdpError {
  enum class Code : std::uint8_t {
    kTooLarge,     // Larger than kMaxSdpBytes, or a count beyond its limit. HTTP 413.
    kMalformed,    // Not SDP, or an attribute without sense. HTTP 400.
    kUnsupported,  // Well-formed, but nothing that millrace can connect to. HTTP 400.
  };
  Code code = Code::kMalformed;
  std::size_t line = 0;  // Counted from 1; 0 where the fault is an absence.
  std::string reason;    // Printable ASCII, one line; quotes little of the input.

  // "line 7: a=fingerprint: unknown hash md5".
  std::string to_string() const;
};

inline SdpError malformed(std::size_t line, std::string reason) {
  return {SdpError::Code::kMalformed, line, std::move(reason)};
}

}  // namespace millrace::sdp
