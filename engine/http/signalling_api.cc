// SPDX-License-Identifier: Apache-2.0
#include "engine/http/signalling_api.h"

#include <charconv>
#include <cstdio>
#include <utility>

#include "engine/web/page.h"

namespace millrace::http {
namespace {

constexpr char kSessionPath[] = "/session/";
constexpr std::size_t kSessionDigits = 16;

std::string session_path(SessionId id) {
  char digits[kSessionDigits + 1];
  std::snprintf(digits, sizeof(digits), "%016llx", static_cast<unsigned long long>(id));
  return std::string(kSessionPath) + digits;
}

std::optional<SessionId> session_of(const std::string& path) {
  const std::string digits = path.substr(sizeof(kSessionPath) - 1);
  std::uint64_t id = 0;
  const char* const end = digits.data() + digits.size();
  const auto [rest, error] = std::from_chars(digits.data(), end, id, 16);
  if (digits.size() != kSessionDigits || error != std::errc() || rest != end) return std::nullopt;
  return SessionId{id};
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

Response SignallingApi::handle(const Request& request) {
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
  if (get && request.path == "/stats") return text_response("application/json", sources_.stats());
  if (get && request.path == "/metrics") {
    return text_response("text/plain; version=0.0.4; charset=utf-8", sources_.metrics());
  }
  Response response =
      error_response(405, request.method + " is not a method of " + request.path + ": " + methods);
  response.allow = methods;
  return response;
}

Response SignallingApi::offer(const Request& request) {
  if (request.content_type != "application/sdp") {
    return error_response(
        415, "the content type is '" + request.content_type + "', application/sdp is expected");
  }
  auto answer = engine_.accept_offer(request.body);
  if (!answer.ok()) return error_response(status_of(answer.error().kind), answer.error().reason);
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
