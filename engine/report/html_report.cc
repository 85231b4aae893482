// SPDX-License-Identifier: Apache-2.0
#include "engine/report/load_report.h"

namespace millrace::report {

std::string to_html(const std::vector<LoadReport>& runs) {
  std::string out = "<!doctype html><title>millrace</title>";
  for (const LoadReport& run : runs) out += "<pre>" + to_text(run) + "</pre>";
  return out;
}

}  // namespace millrace::report
