// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace millrace::crypto {

// KeyLog receives lines of the NSS key log format ("CLIENT_RANDOM <hex> <hex>", without
// the line feed). Whoever injects one makes every session readable by the holder of the
// log. `write_line` is called on the thread that runs a handshake flight: it must be
// thread-safe.
class KeyLog {
 public:
  virtual ~KeyLog() = default;
  virtual void write_line(std::string_view line) = 0;
};

}  // namespace millrace::crypto
