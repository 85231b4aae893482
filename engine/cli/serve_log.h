// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "engine/http/http_server.h"
#include "millrace/channel.h"
#include "millrace/types.h"

namespace millrace::cli {

// SessionLog writes a line for what befalls sessions, channels and requests, for whoever looks for
// why one of them came to nothing (`--log-level debug`). What peers wrote is quoted, and cut.
class SessionLog {
 public:
  using Write = void (*)(const std::string& line);

  SessionLog() = default;  // Writes nothing, and puts nothing together.
  explicit SessionLog(Write write) : write_(write) {}

  // `what` befell a session.
  void session(SessionId session, std::string_view what) const;
  // A channel is open: with its stream, label, protocol and kind.
  void opened(const Channel& channel) const;
  void channel(const Channel& channel, const std::string& label, std::string_view what) const;
  // Answers a request as before, and tells of what is refused.
  http::LaterHandler told(http::LaterHandler handler) const;

 private:
  Write write_ = nullptr;
};

}  // namespace millrace::cli
