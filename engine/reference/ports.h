// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <utility>

#include "engine/reference/socket_port.h"
#ifdef MILLRACE_IO_URING
#include "engine/reference/uring_port.h"
#endif

namespace millrace::reference {

// with_port makes the port that `options` ask for and returns what `run(port)` does.
template <class Report, class Run>
Result<Report, io::IoError> with_port(RawSocket& socket, const Options& options, bool receives,
                                      bool coalesced, Run&& run) {
#ifdef MILLRACE_IO_URING
  if (options.uring) {
    auto port = UringPort::create(socket, receives, options.spin);
    if (!port) return Failure(port.error());
    return run(**port);
  }
#else
  if (options.uring) return Failure(io::IoError{"io_uring: not in this build", 0});
  static_cast<void>(receives);
#endif
  SocketPort port(socket, coalesced, options.spin);
  return run(port);
}

}  // namespace millrace::reference
