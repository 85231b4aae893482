// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "engine/base/bytes.h"
#include "engine/base/result.h"
#include "engine/base/time.h"
#include "engine/reference/raw_socket.h"
#include "io/monotonic_clock.h"

namespace millrace::reference {

// Control datagrams begin with kMark, data with a sequence number, which never reaches it:
//
//   kMark (8) | word (8) | warm-up, ns (8) | duration, ns (8)
//
// The beginning side sends kHello until it hears kReady, and kFinish until kDone. A receiver
// of a blast sends kCredit as it goes; the sequence number it expects next takes the place
// of the warm-up.
inline constexpr std::uint64_t kMark = 0x6d696c6c72616365;  // "millrace".
inline constexpr std::size_t kControlBytes = 32;

enum class Word : std::uint64_t { kHello = 1, kReady, kFinish, kDone, kCredit };

struct Control {
  Word word = Word::kHello;
  Duration warmup{};
  Duration duration{};
  std::uint64_t expects = 0;  // Of kCredit.
};

std::optional<Control> parse_control(ByteSpan datagram);
void send_control(const RawSocket& socket, const Control& control);

// Waits for a hello, connects the socket to its sender and answers.
Result<Control, io::IoError> await_hello(RawSocket& socket, Duration patience);
// Sends `control` every 10 ms until `answer` comes.
Result<bool, io::IoError> call(RawSocket& socket, const Control& control, Word answer,
                               Duration patience);
// The latest credit that waits at the socket, if one does within `timeout`; zero only looks.
std::optional<std::uint64_t> take_credit(const RawSocket& socket, milliseconds timeout);
// Answers what the other side repeats; true for kFinish.
bool answer_control(const RawSocket& socket, const Control& control);

using io::monotonic_now;
// CPU time of the thread or the whole process; pins the calling thread.
double cpu_seconds(bool thread);
Result<bool, io::IoError> pin_thread(int cpu);

}  // namespace millrace::reference
