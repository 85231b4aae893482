// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "io/datapath.h"

namespace millrace::io {

// io_error makes the one line of a failed call: "<what>: <reason of errno code>".
IoError io_error(std::string_view what, int code);

}  // namespace millrace::io
