// SPDX-License-Identifier: Apache-2.0
#include "engine/http/stats_query.h"

#include <charconv>
#include <optional>

#include "engine/http/hex_id.h"

namespace millrace::http {
namespace {

// What a person sent comes back in the answer, but not all of 8 KB of it.
std::string quoted(std::string_view value) {
  constexpr std::size_t kShown = 64;
  const bool cut = value.size() > kShown;
  return "'" + std::string(value.substr(0, kShown)) + (cut ? "…'" : "'");
}

std::optional<std::size_t> parse_limit(std::string_view text) {
  std::size_t limit = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, limit);
  const bool whole = error == std::errc() && rest == end;
  if (!whole || limit == 0 || limit > Engine::kMaxSessionPage) return std::nullopt;
  return limit;
}

// Keys seen, so that none is given twice and none without its company.
struct Seen {
  bool session = false;
  bool sessions = false;
  bool after = false;
};

std::optional<std::string> apply(std::string_view key, std::string_view value, Seen& seen,
                                 StatsQuery& out) {
  bool* const mark = key == "session"    ? &seen.session
                     : key == "sessions" ? &seen.sessions
                     : key == "after"    ? &seen.after
                                         : nullptr;
  if (mark == nullptr) return quoted(key) + " is not session, sessions or after";
  if (*mark) return std::string(key) + ": given twice, the second time as " + quoted(value);
  *mark = true;
  if (mark == &seen.sessions) {
    const auto limit = parse_limit(value);
    if (!limit) {
      return "sessions: " + quoted(value) + " is not a whole number from 1 to " +
             std::to_string(Engine::kMaxSessionPage);
    }
    out.limit = *limit;
    return std::nullopt;
  }
  const auto id = parse_hex_id(value);
  if (!id) return std::string(key) + ": " + quoted(value) + " is not 16 hexadecimal digits";
  if (mark == &seen.session) out.session = SessionId{*id};
  if (mark == &seen.after) out.after = SessionCursor{*id};
  return std::nullopt;
}

}  // namespace

Result<StatsQuery, std::string> StatsQuery::parse(std::string_view query) {
  StatsQuery out;
  if (query.empty()) return out;
  Seen seen;
  for (std::size_t at = 0; at <= query.size();) {
    const std::size_t end = std::min(query.find('&', at), query.size());
    const std::string_view field = query.substr(at, end - at);
    const std::size_t equals = std::min(field.find('='), field.size());
    const std::string_view value = field.substr(std::min(equals + 1, field.size()));
    if (auto error = apply(field.substr(0, equals), value, seen, out)) {
      return Failure(std::move(*error));
    }
    at = end + 1;
  }
  if (seen.session && (seen.sessions || seen.after)) {
    return Failure(std::string("session: goes with no other key"));
  }
  if (seen.after && !seen.sessions) return Failure(std::string("after: goes with sessions"));
  out.kind = seen.session ? Kind::kSession : Kind::kList;
  return out;
}

}  // namespace millrace::http
