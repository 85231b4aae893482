// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <string_view>
#include <utility>

#include "engine/cli/part_pattern.h"
#include "engine/cli/sequence_tracker.h"
#include "engine/report/cpu_time.h"
#include "millrace/channel.h"
#include "millrace/message.h"

namespace millrace::cli {

// What the head of a message says: its sequence number and the time it was meant to be
// sent, as far as they fit (8 bytes each, low bytes first).
inline constexpr std::size_t kSequenceBytes = 8;
inline constexpr std::size_t kStampBytes = 16;

void write_stamp(std::span<std::uint8_t> message, std::uint64_t sequence, Time intended);

// SinkReport is the answer to "report" (see ServeHandler).
struct SinkReport {
  std::uint64_t messages = 0;
  std::uint64_t bytes = 0;
  double seconds = 0;
  report::CpuTime cpu;  // Of the server, since it began.

  static std::optional<SinkReport> parse(std::string_view json);
};

// LoadChannel is a channel of the load generator, and the account of what became of its
// messages.
struct LoadChannel {
  // What an echo was.
  struct Echo {
    SequenceTracker::Verdict verdict = SequenceTracker::Verdict::kInOrder;
    bool damaged = false;
    Time intended{};
  };

  Channel channel;
  std::size_t connection = 0;
  bool open = false;
  bool queued = false;  // In the shard's list of channels to pump in the next turn.

  std::uint64_t due = 0;  // Open loop: messages whose time has come.
  std::uint64_t sent = 0;
  std::uint64_t received = 0;
  std::uint64_t written_off = 0;  // Unreliable: below this nothing is waited for.
  SequenceTracker tracker;
  Time progress{};  // When the last message came.

  // Upload: what the sink says at the beginning and at the end of the measured time.
  enum class Ask : std::uint8_t { kNothing, kBegin, kEnd };
  Ask ask = Ask::kNothing;
  bool ask_unsent = false;
  Time asked_at{};
  std::optional<SinkReport> begin;
  std::optional<SinkReport> end;
  std::uint64_t confirmed = 0;  // Messages that the sink has counted.

  // The message that is being sent in parts.
  std::uint64_t part_offset = 0;  // 0: there is none.
  Time part_intended{};
  std::uint64_t part_bytes_sent = 0;  // Of all of them, and of what came back.
  std::uint64_t part_bytes_echoed = 0;

  // A message that has come, whole or in parts.
  struct Arrival {
    std::array<std::uint8_t, kStampBytes> head{};
    std::size_t head_bytes = 0;
    std::uint64_t bytes = 0;
    bool damaged = false;  // Its parts do not join, or are not those of its pattern.

    std::uint64_t sequence() const;
  };
  // Takes a message or a part of one; returns it with the last. With a `pattern` its content
  // has to be that.
  std::optional<Arrival> take(const MessageView& message, const PartPattern* pattern);

  // Notes a message as sent. Without room for a stamp in it, the time is kept here.
  void note_sent(std::size_t size, Time intended);
  // Reads an echo of a message of `size` bytes.
  Echo take_echo(const Arrival& message, std::size_t size, bool ordered);
  // Messages without their echo, as far as anyone still waits for them.
  std::uint64_t outstanding(bool reliable) const;

 private:
  Time sent_at(std::uint64_t sequence, bool ordered);

  std::deque<std::pair<std::uint64_t, Time>> sent_at_;
  Arrival arrival_;
};

}  // namespace millrace::cli
