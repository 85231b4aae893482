// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace millrace::cli {

// Lines for people who run the program, on stderr, from any thread.
void log_debug(const std::string& line);
void log_info(const std::string& line);
void log_warning(const std::string& line);
void log_error(const std::string& line);

// "debug", "info", "warning", "error" or "off"; false for anything else.
bool set_log_level(const std::string& level);

}  // namespace millrace::cli
