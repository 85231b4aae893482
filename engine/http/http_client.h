// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "millrace/types.h"

namespace millrace::http {

// Url is the parts of `http://HOST[:PORT][/PATH]`; there is no TLS here.
struct Url {
  std::string host;  // A name or an address, IPv6 without brackets.
  std::string port = "80";
  std::string path = "/";

  static std::optional<Url> parse(const std::string& text);
  std::string authority() const;  // For the Host header.
};

// Reply is what came of a request: an answer, or why there was none.
struct Reply {
  std::string error;  // Empty: there was an answer.
  unsigned status = 0;
  std::string content_type;  // Lower case, without parameters.
  std::string location;
  std::string body;
};

struct ClientOptions {
  Url target;
  unsigned connections = 16;  // Requests at once; more wait in order.
  milliseconds timeout{30'000};
};

// Client sends requests to one server over a few connections that are kept open, on one
// thread of its own.
class Client {
 public:
  using Done = std::function<void(Reply)>;

  static std::unique_ptr<Client> create(ClientOptions options);
  // Drops what waits, without calling `done`, and joins the thread.
  virtual ~Client() = default;

  // From any thread; `done` runs on the client's thread.
  virtual void post(std::string path, std::string content_type, std::string body, Done done) = 0;
  virtual void remove(std::string path, Done done) = 0;
};

}  // namespace millrace::http
