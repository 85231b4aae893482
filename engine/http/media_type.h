// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace millrace::http {

// media_type returns a Content-Type in lower case without its parameters, for comparison
// (RFC 9110 §8.3.1).
inline std::string media_type(const std::string& field) {
  std::string type = field.substr(0, field.find(';'));
  while (!type.empty() && (type.back() == ' ' || type.back() == '\t')) type.pop_back();
  for (char& c : type) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return type;
}

}  // namespace millrace::http
