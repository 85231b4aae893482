// SPDX-License-Identifier: Apache-2.0
#include "engine/reference/open_loop.h"

#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <vector>

#include "engine/reference/hello.h"

namespace millrace::reference {
namespace {

constexpr Duration kEchoPatience = milliseconds(200);  // An echo is waited for so long at the end.

// OpenLoop knows when each datagram is due by its number alone, so that nothing is kept of those
// under way.
class OpenLoop {
 public:
  OpenLoop(const RawSocket& socket, const Options& options)
      : fd_(socket.fd()),
        spin_(options.spin),
        rate_(options.rate),
        datagram_(options.datagram_bytes),
        begin_(monotonic_now()),
        first_measured_(count_in(options.warmup)),
        end_(first_measured_ + count_in(options.duration)) {}

  bool warm() const { return sent_ >= first_measured_; }
  bool ended(Time now) const {
    return sent_ == end_ && (echoes_ >= end_ - first_measured_ || now > due(end_) + kEchoPatience);
  }

  void send_due(Time now) {
    for (; sent_ < end_ && due(sent_) <= now; ++sent_) {
      store_be64(datagram_.data(), sent_);
      ::send(fd_, datagram_.data(), datagram_.size(), MSG_NOSIGNAL);
    }
  }

  void take_echoes(PingReport& report) {
    std::array<std::uint8_t, 2048> in;
    for (;;) {
      const ssize_t got = ::recv(fd_, in.data(), in.size(), MSG_DONTWAIT);
      if (got < 8) return;
      const std::uint64_t number = load_be64(in.data());
      if (number < first_measured_ || number >= sent_) continue;
      report.round_trip.record(monotonic_now() - due(number));
      ++echoes_;
    }
  }

  void sleep(Time now) const {
    if (spin_) return;
    const Time until = sent_ < end_ ? due(sent_) : due(end_) + kEchoPatience + milliseconds(1);
    const timespec most = io::to_timespec(until - now);
    pollfd entry{.fd = fd_, .events = POLLIN, .revents = 0};
    ::ppoll(&entry, 1, &most, nullptr);
  }

  std::uint64_t lost() const {
    const std::uint64_t measured = end_ - first_measured_;
    return measured - std::min(measured, echoes_);
  }

 private:
  std::uint64_t count_in(Duration time) const {
    return static_cast<std::uint64_t>(time.count()) * rate_ / 1'000'000'000;
  }
  Time due(std::uint64_t number) const {
    return begin_ + Duration(static_cast<Duration::rep>(number * 1'000'000'000 / rate_));
  }

  const int fd_;
  const bool spin_;
  const std::uint64_t rate_;
  std::vector<std::uint8_t> datagram_;
  const Time begin_;
  const std::uint64_t first_measured_;
  const std::uint64_t end_;
  std::uint64_t sent_ = 0;
  std::uint64_t echoes_ = 0;
};

}  // namespace

PingReport run_open_loop(const RawSocket& socket, const Options& options) {
  // Not the 50 us by which a thread's timers may be late otherwise.
  ::prctl(PR_SET_TIMERSLACK, 1000UL, 0UL, 0UL, 0UL);
  PingReport report;
  OpenLoop loop(socket, options);
  Time begun{};
  double cpu = 0;
  Time now = monotonic_now();
  for (; !loop.ended(now); now = monotonic_now()) {
    if (loop.warm() && begun == Time{}) {
      begun = now;
      cpu = cpu_seconds(options.thread_time);
    }
    loop.send_due(now);
    loop.sleep(now);
    loop.take_echoes(report);
  }
  report.seconds = std::chrono::duration<double>(now - begun).count();
  report.cpu_seconds = cpu_seconds(options.thread_time) - cpu;
  report.lost = loop.lost();
  return report;
}

}  // namespace millrace::reference
