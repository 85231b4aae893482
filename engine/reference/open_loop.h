// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/reference/reference.h"

namespace millrace::reference {

// run_open_loop sends `options.rate` datagrams a second by the clock, whether or not what was sent
// comes back, by plain calls on `socket`, whose other end has been told of it: one sleep until
// the next is due or an echo is there. Times count from when a datagram was due.
PingReport run_open_loop(const RawSocket& socket, const Options& options);

}  // namespace millrace::reference
