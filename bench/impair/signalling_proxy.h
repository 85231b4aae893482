// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "bench/impair/route_book.h"
#include "engine/http/http_client.h"
#include "engine/http/http_server.h"

namespace millrace::impair {

// SignallingProxy stands before a server's signalling: POST of an offer goes on without its
// candidates, the answer comes back with the proxy as its only one, and the route book
// learns where the server is. DELETE goes on as it is. One request at a time.
class SignallingProxy {
 public:
  // `routes` outlives it. `target` is where offers go.
  SignallingProxy(const http::Url& target, const Address& proxy, RouteBook& routes);

  http::Response handle(const http::Request& request);

 private:
  http::Response offer(const http::Request& request);
  http::Response remove(const http::Request& request);

  const std::string path_;
  const Address proxy_;
  RouteBook& routes_;
  std::unique_ptr<http::Client> client_;
};

}  // namespace millrace::impair
