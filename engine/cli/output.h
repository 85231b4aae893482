// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

namespace millrace::cli {

// write_output writes `text` to the file of that path, which it makes; "-" is stdout. Where not
// all of it is taken, by a full disk for one, it says so on stderr in one line and returns false.
bool write_output(const std::string& path, const std::string& text,
                  const std::string& program = "millrace");

// What would keep write_output from making the file, asked before the work for it is done: the
// path and why, as "cannot write 'PATH': REASON". Nothing where all is well.
std::optional<std::string> output_problem(const std::string& path);

}  // namespace millrace::cli
