// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace millrace::report {

// template_page returns engine/report/report.html, embedded at build time.
std::string_view template_page();

}  // namespace millrace::report
