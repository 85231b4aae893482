// SPDX-License-Identifier: Apache-2.0
#include "engine/base/address.h"

#include <arpa/inet.h>
#include <net/if.h>

#include <algorithm>
#include <charconv>

namespace millrace {
namespace {

std::optional<std::uint32_t> parse_scope(const std::string& scope) {
  std::uint32_t id = 0;
  const auto [end, error] = std::from_chars(scope.data(), scope.data() + scope.size(), id);
  if (error == std::errc() && end == scope.data() + scope.size()) return id;
  id = ::if_nametoindex(scope.c_str());
  if (id == 0) return std::nullopt;
  return id;
}

}  // namespace

IpAddress IpAddress::v4(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d) {
  IpAddress ip;
  ip.family = Family::kV4;
  ip.bytes = {a, b, c, d};
  return ip;
}

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  if (text.size() >= 2 && text.front() == '[' && text.back() == ']') {
    text = text.substr(1, text.size() - 2);
    if (text.find(':') == std::string_view::npos) return std::nullopt;
  }
  if (text.size() > 64) return std::nullopt;
  std::string host(text);
  IpAddress ip;
  if (::inet_pton(AF_INET, host.c_str(), ip.bytes.data()) == 1) {
    ip.family = Family::kV4;
    return ip;
  }
  if (const std::size_t percent = host.find('%'); percent != std::string::npos) {
    const std::optional<std::uint32_t> scope = parse_scope(host.substr(percent + 1));
    if (!scope) return std::nullopt;
    ip.scope_id = *scope;
    host.resize(percent);
  }
  if (::inet_pton(AF_INET6, host.c_str(), ip.bytes.data()) != 1) return std::nullopt;
  ip.family = Family::kV6;
  return ip;
}

bool IpAddress::is_loopback() const {
  if (is_v4()) return bytes[0] == 127;
  return is_v6() && bytes[15] == 1 &&
         std::all_of(bytes.begin(), bytes.begin() + 15, [](std::uint8_t b) { return b == 0; });
}

std::string IpAddress::to_string() const {
  if (family == Family::kNone) return "none";
  char text[INET6_ADDRSTRLEN] = {};
  ::inet_ntop(is_v4() ? AF_INET : AF_INET6, bytes.data(), text, sizeof(text));
  std::string out(text);
  if (scope_id != 0) out += "%" + std::to_string(scope_id);
  return out;
}

std::optional<Address> Address::parse(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const std::string_view host = text.substr(0, colon);
  const std::string_view port = text.substr(colon + 1);
  const std::optional<IpAddress> ip = IpAddress::parse(host);
  if (!ip || (ip->is_v6() && host.front() != '[')) return std::nullopt;
  Address address{*ip, 0};
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), address.port);
  if (error != std::errc() || port.empty() || end != port.data() + port.size()) {
    return std::nullopt;
  }
  return address;
}

std::string Address::to_string() const {
  std::string text = ip.to_string();
  if (ip.is_v6()) text.insert(0, 1, '[').push_back(']');
  return text.append(1, ':').append(std::to_string(port));
}

}  // namespace millrace
