// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "engine/base/result.h"
#include "io/io_error.h"

namespace millrace::cli {

// Of the reference's sockets.
inline constexpr std::uint32_t kSocketBuffer = 4u << 20;

// keep puts what one end of a reference run reported into `out`, or returns its error.
template <class Report>
std::optional<std::string> keep(Result<Report, io::IoError> result, Report& out) {
  if (!result) return result.error().message;
  out = std::move(result).value();
  return std::nullopt;
}

}  // namespace millrace::cli
