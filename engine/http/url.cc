// SPDX-License-Identifier: Apache-2.0
#include "engine/http/http_client.h"

namespace millrace::http {

std::optional<Url> Url::parse(const std::string& text) {
  const std::string scheme = "http://";
  if (text.compare(0, scheme.size(), scheme) != 0) return std::nullopt;
  const std::size_t slash = text.find('/', scheme.size());
  std::string authority = text.substr(scheme.size(), slash - scheme.size());
  if (slash == std::string::npos) authority = text.substr(scheme.size());
  Url url;
  if (slash != std::string::npos) url.path = text.substr(slash);
  std::size_t colon = authority.rfind(':');
  if (!authority.empty() && authority.front() == '[') {
    const std::size_t end = authority.find(']');
    if (end == std::string::npos) return std::nullopt;
    url.host = authority.substr(1, end - 1);
    colon = end + 1 < authority.size() ? end + 1 : std::string::npos;
    if (colon != std::string::npos && authority[colon] != ':') return std::nullopt;
  } else {
    url.host = authority.substr(0, colon);
  }
  if (colon != std::string::npos) url.port = authority.substr(colon + 1);
  if (url.host.empty() || url.port.empty() || url.port.size() > 5) return std::nullopt;
  if (url.port.find_first_not_of("0123456789") != std::string::npos) return std::nullopt;
  if (std::stoul(url.port) > 65535) return std::nullopt;
  for (const char c : text) {
    if (c <= ' ' || c > '~') return std::nullopt;
  }
  return url;
}

std::string Url::authority() const {
  return (host.find(':') == std::string::npos ? host : "[" + host + "]") + ":" + port;
}

}  // namespace millrace::http
