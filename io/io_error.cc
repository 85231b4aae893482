// SPDX-License-Identifier: Apache-2.0
#include "io/io_error.h"

#include <cctype>
#include <string>
#include <system_error>

namespace millrace::io {

IoError io_error(std::string_view what, int code) {
  std::string reason = std::generic_category().message(code);
  if (!reason.empty()) {
    reason[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(reason[0])));
  }
  return {std::string(what) + ": " + reason, code};
}

}  // namespace millrace::io
