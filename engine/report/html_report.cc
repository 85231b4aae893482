// SPDX-License-Identifier: Apache-2.0
#include <string_view>

#include "engine/report/load_report.h"
#include "engine/report/template.h"

namespace millrace::report {
namespace {

// The place in the template that takes an array of JSON reports.
constexpr std::string_view kPlace = R"(id="runs">[])";
constexpr std::string_view kEmptyArray = "[]";

// JSON inside a script element must not end it.
void append_escaped(std::string& out, std::string_view json) {
  for (const char c : json) {
    if (c == '<') {
      out += "\\u003c";
    } else {
      out += c;
    }
  }
}

}  // namespace

std::string to_html(const std::vector<LoadReport>& runs) {
  const std::string_view page = template_page();
  const std::size_t at = page.find(kPlace) + kPlace.size();
  std::string out(page.substr(0, at - kEmptyArray.size()));
  out += "[";
  for (const LoadReport& run : runs) {
    if (&run != &runs.front()) out += ",";
    append_escaped(out, to_json(run));
  }
  out += "]";
  out += page.substr(at);
  return out;
}

}  // namespace millrace::report
