// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "io/net/net_options.h"
#include "millrace/types.h"

namespace millrace::engine {

// take_over_interface adds the addresses of the kernel's interface `name` to `net`, and where
// they are not stated its IPv4 gateway, by /proc/net/route, its MAC address and its MTU. An
// address that `net` has already is not added again; IPv6's link-local one is left to the
// layer, which makes it from the MAC.
std::optional<Error> take_over_interface(const std::string& name, io::NetOptions& net);

}  // namespace millrace::engine
