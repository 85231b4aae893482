// SPDX-License-Identifier: Apache-2.0
#include "engine/sdp/sdp_error.h"

namespace millrace::sdp {

std::string SdpError::to_string() const {
  return line == 0 ? reason : "line " + std::to_string(line) + ": " + reason;
}

}  // namespace millrace::sdp
