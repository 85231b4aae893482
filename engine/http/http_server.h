// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "millrace/types.h"

namespace millrace::http {

// Request is what a handler sees of an HTTP request; it lives for the length of the call.
struct Request {
  std::string method;
  std::string path;          // Without the query.
  std::string query;         // Behind the first '?', as it was sent.
  std::string content_type;  // Lower case, without parameters.
  std::string body;
};

struct Response {
  unsigned status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::string location;  // Empty: no such header; also `allow`.
  std::string allow;
};

// An error as every one of them looks: `{"error": "..."}`.
Response error_response(unsigned status, const std::string& reason);

// Handler answers one request, on the server's thread. It must not block.
using Handler = std::function<Response(const Request&)>;

// Respond answers one request, from any thread and at any time, even after the server's end:
// the first call counts. What it is given makes the answer, on the server's thread: a thread
// that is in a hurry has no text to write.
using MakeResponse = std::function<Response()>;
using Respond = std::function<void(MakeResponse)>;
// LaterHandler sees to it that one request is answered. It must not block.
using LaterHandler = std::function<void(const Request&, Respond)>;

struct ServerOptions {
  std::string listen;                       // "127.0.0.1:8080"; port 0: the kernel's choice.
  std::string cors_origin;                  // Access-Control-Allow-Origin; empty: no CORS headers.
  std::size_t max_header_bytes = 8u << 10;  // More: 431.
  std::size_t max_body_bytes = 64u << 10;   // More: 413.
  std::size_t max_connections = 1024;       // Others wait in the kernel's backlog.
  milliseconds request_timeout{10'000};     // For a whole request, and for idleness between two.
  milliseconds answer_timeout{2'000};       // For a LaterHandler's answer; then 503.
};

// Server is a small HTTP/1.1 server for signalling, on one thread of its own: keep-alive,
// bounded in connections, sizes and time. It knows no TLS; a reverse proxy does that.
class Server {
 public:
  // Binds and listens. An error is one line that names the address.
  static Result<std::unique_ptr<Server>, Error> create(ServerOptions options, Handler handler);
  static Result<std::unique_ptr<Server>, Error> create_later(ServerOptions options,
                                                             LaterHandler handler);
  // Stops as `stop` does.
  virtual ~Server() = default;

  virtual void start() = 0;
  // Closes every connection and joins the thread. No handler runs after it.
  virtual void stop() = 0;
  virtual std::string address() const = 0;  // With the port the kernel chose.
};

}  // namespace millrace::http
