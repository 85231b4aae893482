// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string_view>

namespace millrace::http {

// RequestTarget is what a request asks for. It views the text that it was parsed from.
struct RequestTarget {
  std::string_view path = "/";
  std::string_view query;  // Behind the first '?', as it was sent.

  // Nothing where `target` is neither a path (or '*') nor the URI of one, of http or https (RFC
  // 9112 §3.2): that is what a proxy is sent, and what a server must take as well.
  static std::optional<RequestTarget> parse(std::string_view target);
};

// is_valid_host tells whether the value of a Host field has its form (RFC 9110 §7.2): a name or
// an address, which may be empty, and perhaps a port.
bool is_valid_host(std::string_view value);

}  // namespace millrace::http
