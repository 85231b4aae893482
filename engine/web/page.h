// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace millrace::web {

// page returns engine/web/page.html with the files that it includes, embedded at build time.
std::string_view page();

}  // namespace millrace::web
