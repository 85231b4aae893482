// SPDX-License-Identifier: Apache-2.0
#include "engine/cli/serve_log.h"

#include <utility>

#include "engine/http/hex_id.h"
#include "engine/sdp/text.h"

namespace millrace::cli {
namespace {

constexpr unsigned kFirstRefusal = 400;

std::string name_of(SessionId session) {
  return "session " + http::hex_id(static_cast<std::uint64_t>(session));
}

}  // namespace

void SessionLog::session(SessionId session, std::string_view what) const {
  if (write_ != nullptr) write_(name_of(session) + ": " + std::string(what));
}

void SessionLog::opened(const Channel& channel) const {
  if (write_ == nullptr) return;
  std::string line = name_of(channel.session()) + ": channel " + sdp::quoted(channel.label()) +
                     " open, stream " + std::to_string(channel.id().value_or(0));
  line += channel.ordered() ? ", ordered" : ", unordered";
  line += channel.reliable() ? ", reliable" : ", partially reliable";
  if (!channel.protocol().empty()) line += ", protocol " + sdp::quoted(channel.protocol());
  write_(line);
}

void SessionLog::channel(const Channel& channel, const std::string& label,
                         std::string_view what) const {
  if (write_ == nullptr) return;
  write_(name_of(channel.session()) + ": channel " + sdp::quoted(label) + " " + std::string(what));
}

http::LaterHandler SessionLog::told(http::LaterHandler handler) const {
  if (write_ == nullptr) return handler;
  return [write = write_, handler = std::move(handler)](const http::Request& request,
                                                        const http::Respond& respond) {
    std::string asked = sdp::quoted(request.method) + " " + sdp::quoted(request.path);
    handler(request, [write, respond, asked = std::move(asked)](http::MakeResponse make) {
      respond([write, asked, make = std::move(make)] {
        http::Response response = make();
        if (response.status >= kFirstRefusal) {
          const std::string_view body = response.body;
          write(asked + " refused with " + std::to_string(response.status) + ": " +
                std::string(body.substr(0, body.find('\n'))));
        }
        return response;
      });
    });
  };
}

}  // namespace millrace::cli
