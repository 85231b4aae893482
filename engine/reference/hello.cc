// SPDX-License-Identifier: Apache-2.0
#include "engine/reference/hello.h"

#include <poll.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <string>

#include "io/io_error.h"
#include "io/kernel_address.h"

namespace millrace::reference {
namespace {

constexpr milliseconds kRepeat{10};
constexpr std::uint64_t kLongest = 3'600'000'000'000;  // An hour, in nanoseconds.

bool readable(const RawSocket& socket, milliseconds timeout) {
  pollfd entry{.fd = socket.fd(), .events = POLLIN, .revents = 0};
  return ::poll(&entry, 1, static_cast<int>(timeout.count())) > 0;
}

}  // namespace

std::optional<Control> parse_control(ByteSpan datagram) {
  if (datagram.size() < kControlBytes || load_be64(datagram.data()) != kMark) return std::nullopt;
  const std::uint64_t word = load_be64(datagram.data() + 8);
  if (word < 1 || word > static_cast<std::uint64_t>(Word::kCredit)) return std::nullopt;
  if (word == static_cast<std::uint64_t>(Word::kCredit)) {
    return Control{.word = Word::kCredit, .expects = load_be64(datagram.data() + 16)};
  }
  const auto duration = [&](std::size_t at) {
    const std::uint64_t ns = std::min(load_be64(datagram.data() + at), kLongest);
    return Duration(static_cast<Duration::rep>(ns));
  };
  return Control{.word = static_cast<Word>(word), .warmup = duration(16), .duration = duration(24)};
}

void send_control(const RawSocket& socket, const Control& control) {
  std::array<std::uint8_t, kControlBytes> out{};
  store_be64(out.data(), kMark);
  store_be64(out.data() + 8, static_cast<std::uint64_t>(control.word));
  store_be64(out.data() + 16, control.word == Word::kCredit
                                  ? control.expects
                                  : static_cast<std::uint64_t>(control.warmup.count()));
  store_be64(out.data() + 24, static_cast<std::uint64_t>(control.duration.count()));
  ::send(socket.fd(), out.data(), out.size(), MSG_NOSIGNAL);
}

Result<Control, io::IoError> await_hello(RawSocket& socket, Duration patience) {
  const Time limit = monotonic_now() + patience;
  std::array<std::uint8_t, 2048> in;
  while (monotonic_now() < limit) {
    io::KernelAddress from{};
    socklen_t length = sizeof(from);
    const ssize_t got = ::recvfrom(socket.fd(), in.data(), in.size(), 0, &from.any, &length);
    if (got < 0) continue;
    const auto control = parse_control(ByteSpan(in).first(static_cast<std::size_t>(got)));
    if (!control || control->word != Word::kHello) continue;
    if (::connect(socket.fd(), &from.any, length) != 0) {
      return Failure(io::io_error("connect udp", errno));
    }
    answer_control(socket, *control);
    return *control;
  }
  return Failure(io::IoError{"nobody said hello at " + socket.local_address().to_string(), 0});
}

Result<bool, io::IoError> call(RawSocket& socket, const Control& control, Word answer,
                               Duration patience) {
  const Time limit = monotonic_now() + patience;
  std::array<std::uint8_t, 2048> in;
  while (monotonic_now() < limit) {
    send_control(socket, control);
    // A port that nobody has bound yet answers with an ICMP error, and poll with at once.
    if (!readable(socket, kRepeat)) continue;
    const ssize_t got = ::recv(socket.fd(), in.data(), in.size(), MSG_DONTWAIT);
    if (got < 0) {
      ::poll(nullptr, 0, static_cast<int>(kRepeat.count()));
      continue;
    }
    const auto heard = parse_control(ByteSpan(in).first(static_cast<std::size_t>(got)));
    if (heard && heard->word == answer) return true;
  }
  return Failure(io::IoError{"the other side does not answer", 0});
}

std::optional<std::uint64_t> take_credit(const RawSocket& socket, milliseconds timeout) {
  if (timeout.count() > 0 && !readable(socket, timeout)) return std::nullopt;
  std::optional<std::uint64_t> latest;
  std::array<std::uint8_t, kControlBytes> in;
  for (;;) {
    const ssize_t got = ::recv(socket.fd(), in.data(), in.size(), MSG_DONTWAIT);
    if (got < 0) return latest;
    const auto heard = parse_control(ByteSpan(in).first(static_cast<std::size_t>(got)));
    if (heard && heard->word == Word::kCredit) latest = heard->expects;
  }
}

bool answer_control(const RawSocket& socket, const Control& control) {
  if (control.word == Word::kHello) send_control(socket, {.word = Word::kReady});
  if (control.word == Word::kFinish) send_control(socket, {.word = Word::kDone});
  return control.word == Word::kFinish;
}

double cpu_seconds(bool thread) {
  rusage usage{};
  ::getrusage(thread ? RUSAGE_THREAD : RUSAGE_SELF, &usage);
  const auto in_seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
  };
  return in_seconds(usage.ru_utime) + in_seconds(usage.ru_stime);
}

Result<bool, io::IoError> pin_thread(int cpu) {
  if (cpu < 0) return true;
  cpu_set_t set;
  CPU_ZERO(&set);
  if (cpu >= CPU_SETSIZE)
    return Failure(io::IoError{"no processor " + std::to_string(cpu), EINVAL});
  CPU_SET(static_cast<std::size_t>(cpu), &set);
  if (::sched_setaffinity(0, sizeof(set), &set) != 0) {
    return Failure(io::io_error("pin to processor " + std::to_string(cpu), errno));
  }
  return true;
}

}  // namespace millrace::reference
