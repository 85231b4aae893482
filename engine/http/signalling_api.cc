// SPDX-License-Identifier: Apache-2.0
#include "engine/http/signalling_api.h"

#include <chrono>
#include <string_view>
#include <utility>

#include "engine/http/hex_id.h"
#include "engine/http/stats_json.h"
#include "engine/http/stats_query.h"
#include "engine/web/page.h"

namespace millrace::http {
namespace {

constexpr char kSessionPath[] = "/session/";

std::string session_path(SessionId id) {
  return kSessionPath + hex_id(static_cast<std::uint64_t>(id));
}

std::optional<SessionId> session_of(const std::string& path) {
  const auto id = parse_hex_id(std::string_view(path).substr(sizeof(kSessionPath) - 1));
  if (!id) return std::nullopt;
  return SessionId{*id};
}

double unix_ms() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration<double, std::milli>(now).count();
}

unsigned status_of(SignalError::Kind kind) {
  switch (kind) {
    case SignalError::Kind::kMalformed:
      return 400;
    case SignalError::Kind::kTooLarge:
      return 413;
    case SignalError::Kind::kFull:
      return 503;
    case SignalError::Kind::kUnknown:
      return 404;
    case SignalError::Kind::kInternal:
      break;
  }
  return 500;
}

Response text_response(const char* content_type, std::string body) {
  Response response;
  response.content_type = content_type;
  response.body = std::move(body);
  return response;
}

Response response_of(const SignalError& error) {
  return error_response(status_of(error.kind), error.reason);
}

Response refuse_page(const SignalError& error, SessionCursor after) {
  if (error.kind != SignalError::Kind::kMalformed) return response_of(error);
  return error_response(
      400, "after: '" + hex_id(static_cast<std::uint64_t>(after)) + "' is " + error.reason);
}

// The methods of a path; null where there is nothing.
const char* methods_of(const std::string& path) {
  if (path == "/offer") return "POST, OPTIONS";
  if (path.rfind(kSessionPath, 0) == 0) return "DELETE, OPTIONS";
  if (path == "/" || path == "/stats" || path == "/metrics") return "GET, HEAD, OPTIONS";
  return nullptr;
}

}  // namespace

SignallingApi::SignallingApi(Engine& engine, Sources sources)
    : engine_(engine), sources_(std::move(sources)) {}

void SignallingApi::handle(const Request& request, const Respond& respond) {
  const bool get = request.method == "GET" || request.method == "HEAD";
  if (get && request.path == "/stats") return stats(request, respond);
  respond([response = handle_at_once(request)] { return response; });
}

Response SignallingApi::handle_at_once(const Request& request) {
  const char* const methods = methods_of(request.path);
  if (methods == nullptr) return error_response(404, "there is nothing at " + request.path);
  const bool get = request.method == "GET" || request.method == "HEAD";
  if (request.method == "OPTIONS") {
    Response response;
    response.status = 204;
    response.content_type.clear();
    response.allow = methods;
    return response;
  }
  if (request.path == "/offer" && request.method == "POST") return offer(request);
  if (request.path.rfind(kSessionPath, 0) == 0 && request.method == "DELETE") {
    return end_session(request.path);
  }
  if (get && request.path == "/") {
    return text_response("text/html; charset=utf-8", std::string(web::page()));
  }
  if (get && request.path == "/metrics") {
    return text_response("text/plain; version=0.0.4; charset=utf-8", sources_.metrics());
  }
  Response response =
      error_response(405, request.method + " is not a method of " + request.path + ": " + methods);
  response.allow = methods;
  return response;
}

void SignallingApi::stats(const Request& request, const Respond& respond) {
  const auto query = StatsQuery::parse(request.query);
  if (!query.ok()) {
    return respond([reason = query.error()] { return error_response(400, reason); });
  }
  const StatsQuery& asked = query.value();
  if (asked.kind == StatsQuery::Kind::kSession) {
    return engine_.session_stats(asked.session, [respond](Result<SessionStats, SignalError> stats) {
      respond([stats = std::move(stats)] {
        if (!stats.ok()) return response_of(stats.error());
        return text_response("application/json", session_stats_json(stats.value(), unix_ms()));
      });
    });
  }
  if (asked.kind == StatsQuery::Kind::kList) {
    return engine_.list_sessions(
        asked.after, asked.limit,
        [respond, after = asked.after](Result<SessionPage, SignalError> page) {
          respond([page = std::move(page), after] {
            if (!page.ok()) return refuse_page(page.error(), after);
            return text_response("application/json", session_page_json(page.value()));
          });
        });
  }
  respond([this] { return text_response("application/json", sources_.stats()); });
}

Response SignallingApi::offer(const Request& request) {
  if (request.content_type != "application/sdp") {
    return error_response(
        415, "the content type is '" + request.content_type + "', application/sdp is expected");
  }
  auto answer = engine_.accept_offer(request.body);
  if (!answer.ok()) return response_of(answer.error());
  Response response = text_response("application/sdp", std::move(answer.value().sdp));
  response.status = 201;
  response.location = session_path(answer.value().session);
  return response;
}

Response SignallingApi::end_session(const std::string& path) {
  const std::optional<SessionId> id = session_of(path);
  if (!id || !engine_.close_session(*id)) return error_response(404, "no such session");
  return text_response("application/json", "{}\n");
}

}  // namespace millrace::http
