// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "millrace/engine.h"

namespace millrace::http {

// StatsQuery is the query of GET /stats:
//
//   (none)                            totals
//   session=<16 hex>                  one session
//   sessions=<limit>[&after=<16 hex>]  a list, from "next" of the page before
struct StatsQuery {
  enum class Kind : std::uint8_t { kTotals, kSession, kList };
  static constexpr std::size_t kDefaultLimit = 100;

  Kind kind = Kind::kTotals;
  SessionId session = SessionId::kNone;
  std::size_t limit = kDefaultLimit;
  SessionCursor after = SessionCursor::kBegin;

  // The error names the key and the value at fault.
  static Result<StatsQuery, std::string> parse(std::string_view query);
};

}  // namespace millrace::http
