// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "engine/base/address.h"

namespace millrace::engine {

// host_addresses lists this host's usable addresses, by falling preference as host
// candidates: global IPv4 and IPv6 first, loopback last. Link-local and multicast ones
// are left out: a browser cannot use them without a zone (RFC 8445 §5.1.1.1).
std::vector<IpAddress> host_addresses();

}  // namespace millrace::engine
