// SPDX-License-Identifier: Apache-2.0
#include "engine/http/request_target.h"

#include <algorithm>

namespace millrace::http {
namespace {

constexpr std::string_view kAlphanumeric =
    "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
constexpr std::string_view kHex = "0123456789abcdefABCDEF";

bool is_any_of(char c, std::string_view set) { return set.find(c) != std::string_view::npos; }

// RFC 3986 §3.2.2: unreserved, sub-delims and whole percent-encodings.
bool is_reg_name(std::string_view name) {
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (name[i] == '%') {
      if (name.size() - i < 3 || !is_any_of(name[i + 1], kHex) || !is_any_of(name[i + 2], kHex)) {
        return false;
      }
      i += 2;
    } else if (!is_any_of(name[i], kAlphanumeric) && !is_any_of(name[i], "-._~!$&'()*+,;=")) {
      return false;
    }
  }
  return true;
}

// RFC 3986 §3.2.2: what stands between the brackets. Whether it is an address matters to nobody.
bool is_ip_literal(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return is_any_of(c, kAlphanumeric) || is_any_of(c, ":-._~!$&'()*+,;=");
  });
}

// Removes "http://" or "https://", in any case (RFC 3986 §3.1).
bool remove_scheme(std::string_view& uri) {
  const auto same = [](char lower, char c) {
    return c == lower || (c >= 'A' && c <= 'Z' && c - 'A' + 'a' == lower);
  };
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (uri.size() < scheme.size()) continue;
    if (!std::equal(scheme.begin(), scheme.end(), uri.begin(), same)) continue;
    uri.remove_prefix(scheme.size());
    return true;
  }
  return false;
}

}  // namespace

bool is_valid_host(std::string_view value) {
  if (value.starts_with('[')) {
    const std::size_t end = value.find(']');
    if (end == std::string_view::npos || !is_ip_literal(value.substr(1, end - 1))) return false;
    value.remove_prefix(end + 1);
    if (!value.empty() && value.front() != ':') return false;
  } else {
    const std::size_t end = std::min(value.find(':'), value.size());
    if (!is_reg_name(value.substr(0, end))) return false;
    value.remove_prefix(end);
  }
  return value.find_first_not_of("0123456789", 1) == std::string_view::npos;
}

std::optional<RequestTarget> RequestTarget::parse(std::string_view target) {
  if (!target.starts_with('/') && target != "*") {
    if (!remove_scheme(target)) return std::nullopt;
    const std::size_t end = std::min(target.find_first_of("/?"), target.size());
    const std::string_view authority = target.substr(0, end);
    // RFC 9110 §4.2.1: a URI without a host is to be refused.
    if (authority.empty() || authority.front() == ':' || !is_valid_host(authority)) {
      return std::nullopt;
    }
    target.remove_prefix(end);
  }
  const std::size_t mark = std::min(target.find('?'), target.size());
  RequestTarget parsed;
  if (mark > 0) parsed.path = target.substr(0, mark);
  if (mark < target.size()) parsed.query = target.substr(mark + 1);
  return parsed;
}

}  // namespace millrace::http
