// SPDX-License-Identifier: Apache-2.0
#include <sys/utsname.h>

#include <ctime>
#include <fstream>
#include <thread>

#include "engine/report/load_report.h"

namespace millrace::report {
namespace {

std::string cpu_name() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.rfind("model name", 0) != 0) continue;
    const std::size_t colon = line.find(": ");
    if (colon != std::string::npos) return line.substr(colon + 2);
  }
  return "unknown";
}

}  // namespace

Environment this_machine() {
  Environment machine;
  machine.cpu = cpu_name();
  machine.cpus = std::thread::hardware_concurrency();
  utsname names{};
  if (::uname(&names) == 0) machine.kernel = std::string(names.sysname) + " " + names.release;
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  ::gmtime_r(&now, &utc);
  char text[32];
  std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &utc);
  machine.time = text;
  return machine;
}

}  // namespace millrace::report
