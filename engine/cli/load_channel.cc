// SPDX-License-Identifier: Apache-2.0
#include "engine/cli/load_channel.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string>

#include "engine/cli/setting.h"

namespace millrace::cli {
namespace {

// At most so many messages too short for a stamp are remembered; the oldest go first.
constexpr std::size_t kMaxRemembered = 1u << 16;

// Least significant byte first, as many as there is room for. Where that is all of them it is
// one store: the engine copies the message at once, and would wait for eight.
void put(std::span<std::uint8_t> out, std::uint64_t value) {
  if (out.size() == sizeof(value)) {
    std::memcpy(out.data(), &value, sizeof(value));
    return;
  }
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<std::uint8_t>(value >> (8 * i));
}

std::uint64_t get(std::span<const std::uint8_t> in) {
  std::uint64_t value = 0;
  std::memcpy(&value, in.data(), in.size());
  return value;
}

std::optional<double> number_after(std::string_view json, std::string_view key) {
  std::size_t at = json.find(key);
  if (at == std::string_view::npos) return std::nullopt;
  at = json.find_first_not_of(" \t:", at + key.size());
  const std::size_t end = json.find_first_of(",} ", at);
  if (at == std::string_view::npos || end == std::string_view::npos) return std::nullopt;
  return parse_number(std::string(json.substr(at, end - at)));
}

}  // namespace

void write_stamp(std::span<std::uint8_t> message, std::uint64_t sequence, Time intended) {
  put(message.first(std::min(message.size(), kSequenceBytes)), sequence);
  if (message.size() < kStampBytes) return;
  put(message.subspan(kSequenceBytes, kStampBytes - kSequenceBytes),
      static_cast<std::uint64_t>(intended.time_since_epoch().count()));
}

std::optional<SinkReport> SinkReport::parse(std::string_view json) {
  const auto messages = number_after(json, "\"messages\"");
  const auto bytes = number_after(json, "\"bytes\"");
  const auto seconds = number_after(json, "\"seconds\"");
  if (!messages || !bytes || !seconds || *messages < 0 || *bytes < 0) return std::nullopt;
  SinkReport report;
  report.messages = static_cast<std::uint64_t>(*messages);
  report.bytes = static_cast<std::uint64_t>(*bytes);
  report.seconds = *seconds;
  report.cpu.used = number_after(json, "\"cpu_seconds\"").value_or(0);
  report.cpu.waited = number_after(json, "\"cpu_waited_seconds\"").value_or(0);
  return report;
}

void LoadChannel::note_sent(std::size_t size, Time intended) {
  const std::uint64_t sequence = sent++;
  if (size >= kStampBytes) return;
  if (sent_at_.size() == kMaxRemembered) sent_at_.pop_front();
  sent_at_.emplace_back(sequence, intended);
}

std::uint64_t LoadChannel::Arrival::sequence() const {
  return get(std::span(head).first(std::min(head_bytes, kSequenceBytes)));
}

std::optional<LoadChannel::Arrival> LoadChannel::take(const MessageView& message,
                                                      const PartPattern* pattern) {
  if (message.offset == 0) arrival_ = {};
  if (message.aborted) {
    arrival_ = {};
    return std::nullopt;
  }
  Arrival& all = arrival_;
  all.damaged |= message.offset != all.bytes;
  for (const auto& piece : message.pieces) {
    const std::size_t part = std::min(piece.size(), kStampBytes - all.head_bytes);
    std::copy_n(piece.data(), part, all.head.data() + all.head_bytes);
    all.head_bytes += part;
    if (pattern != nullptr) all.damaged |= !pattern->matches(all.sequence(), all.bytes, piece);
    all.bytes += piece.size();
  }
  if (!message.last) return std::nullopt;
  return all;
}

LoadChannel::Echo LoadChannel::take_echo(const Arrival& message, std::size_t size, bool ordered) {
  Echo echo;
  ++received;
  std::uint64_t sequence = tracker.end();
  if (message.head_bytes >= kSequenceBytes) {
    sequence = message.sequence();
  } else if (message.head_bytes > 0) {
    sequence = tracker.unwrap(message.sequence(), static_cast<unsigned>(message.head_bytes) * 8);
  }
  echo.damaged = message.damaged || message.bytes != size || sequence >= sent;
  if (echo.damaged) return echo;
  echo.verdict = tracker.accept(sequence);
  if (size >= kStampBytes) {
    echo.intended = Time(Duration(static_cast<std::int64_t>(get(std::span(message.head).last(8)))));
  } else {
    echo.intended = sent_at(sequence, ordered);
  }
  return echo;
}

Time LoadChannel::sent_at(std::uint64_t sequence, bool ordered) {
  while (ordered && !sent_at_.empty() && sent_at_.front().first < sequence) sent_at_.pop_front();
  const auto found = std::find_if(sent_at_.begin(), sent_at_.end(), [sequence](const auto& entry) {
    return entry.first == sequence;
  });
  if (found == sent_at_.end()) return Time();
  const Time intended = found->second;
  sent_at_.erase(found);
  return intended;
}

std::uint64_t LoadChannel::outstanding(bool reliable) const {
  // What was overtaken on an unreliable channel may be lost: nobody waits for it.
  const std::uint64_t settled = reliable ? received : std::max(tracker.end(), written_off);
  return sent > settled ? sent - settled : 0;
}

}  // namespace millrace::cli
