// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>

#include "engine/http/http_server.h"
#include "millrace/engine.h"

namespace millrace::http {

// SignallingApi is the HTTP face of an engine, after WHIP's pattern (RFC 9725):
//
//   POST /offer           application/sdp -> 201, the answer, Location: /session/<16 hex>
//   DELETE /session/<id>  200; 404 when there is no such session
//   GET /stats            JSON; of one session, or a list of sessions, by its query: StatsQuery
//   GET /metrics          Prometheus text, version 0.0.4
//   GET /                 the page
class SignallingApi {
 public:
  // Texts made afresh for each request, on the HTTP server's thread.
  struct Sources {
    std::function<std::string()> stats;
    std::function<std::string()> metrics;
  };

  // `engine` outlives this.
  SignallingApi(Engine& engine, Sources sources);

  // `respond` may be called later, from a shard's thread.
  void handle(const Request& request, const Respond& respond);

 private:
  Response handle_at_once(const Request& request);
  void stats(const Request& request, const Respond& respond);
  Response offer(const Request& request);
  Response end_session(const std::string& path);

  Engine& engine_;
  Sources sources_;
};

}  // namespace millrace::http
