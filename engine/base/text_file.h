// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "engine/base/result.h"

namespace millrace {

// read_text_file returns what a file holds: a configuration, a key. The error says why not, with
// the path: it cannot be read, is a directory, or has more than `max_bytes`, as a device may.
Result<std::string, std::string> read_text_file(const std::string& path,
                                                std::size_t max_bytes = std::size_t{1} << 20);

}  // namespace millrace
