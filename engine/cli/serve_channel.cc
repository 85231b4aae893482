// SPDX-License-Identifier: Apache-2.0
#include "engine/cli/serve_channel.h"

#include "engine/cli/setting.h"

namespace millrace::cli {

Behaviour behaviour_of(std::string_view label) {
  const auto begins = [label](std::string_view word) {
    return label.substr(0, word.size()) == word;
  };
  if (begins("echo")) return Behaviour::kEcho;
  if (begins("sink")) return Behaviour::kSink;
  if (begins("source")) return Behaviour::kSource;
  if (begins("relay:") && label.size() > 6) return Behaviour::kRelay;
  return Behaviour::kIgnore;
}

std::optional<SourceOrder> SourceOrder::parse(std::string_view query) {
  SourceOrder order;
  while (!query.empty()) {
    const std::size_t end = query.find('&');
    const std::string_view pair = query.substr(0, end);
    query = end == std::string_view::npos ? std::string_view() : query.substr(end + 1);
    const std::size_t equals = pair.find('=');
    if (equals == std::string_view::npos) continue;
    const std::string_view key = pair.substr(0, equals);
    const std::string value(pair.substr(equals + 1));
    if (key == "size" || key == "count") {
      const std::optional<std::uint64_t> number = parse_whole(value);
      if (!number) return std::nullopt;
      if (key == "size") order.size = static_cast<std::size_t>(*number);
      if (key == "count") order.count = *number;
    } else if (key == "rate" && value != "max") {
      const std::optional<double> number = parse_number(value);
      if (!number || *number < 0) return std::nullopt;
      order.rate = *number;
    }
  }
  return order;
}

}  // namespace millrace::cli
