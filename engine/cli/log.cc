// SPDX-License-Identifier: Apache-2.0
#include "engine/cli/log.h"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

namespace millrace::cli {
namespace {

spdlog::logger& logger() {
  static const std::shared_ptr<spdlog::logger> instance = [] {
    auto made = spdlog::stderr_color_mt("millrace");
    made->set_pattern("%Y-%m-%dT%H:%M:%S.%e %^%l%$ %v");
    return made;
  }();
  return *instance;
}

}  // namespace

void log_debug(const std::string& line) { logger().debug(line); }
void log_info(const std::string& line) { logger().info(line); }
void log_warning(const std::string& line) { logger().warn(line); }
void log_error(const std::string& line) { logger().error(line); }

bool set_log_level(const std::string& level) {
  const spdlog::level::level_enum wanted = spdlog::level::from_str(level);
  if (wanted == spdlog::level::off && level != "off") return false;
  logger().set_level(wanted);
  return true;
}

}  // namespace millrace::cli
