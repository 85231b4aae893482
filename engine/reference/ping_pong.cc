// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>
#include <vector>

#include "engine/reference/hello.h"
#include "engine/reference/open_loop.h"
#include "engine/reference/ports.h"
#include "engine/reference/reference.h"

namespace millrace::reference {
namespace {

constexpr Duration kLost = milliseconds(200);

template <class Port>
PongReport pong(Port& port, const RawSocket& socket, const Options& options) {
  PongReport report;
  const double cpu = cpu_seconds(options.thread_time);
  bool finished = false;
  const Time begun = monotonic_now();
  Time last = begun;
  // The clock costs a tenth of an empty poll, so it is read now and then.
  bool heard = false;
  for (unsigned polls = 0; !finished; ++polls) {
    bool arrived = false;
    port.receive([&](const Arrival& arrival) {
      arrived = true;
      if (const auto control = parse_control(arrival.bytes)) {
        finished |= answer_control(socket, *control);
        return;
      }
      port.send(arrival.bytes);
      ++report.datagrams;
    });
    if (arrived) port.flush();
    heard |= arrived;
    if (options.spin && polls % 64 != 0) continue;
    const Time now = monotonic_now();
    if (heard) last = now;
    heard = false;
    if (now - last > kSilence) break;
  }
  report.seconds = std::chrono::duration<double>(monotonic_now() - begun).count();
  report.cpu_seconds = cpu_seconds(options.thread_time) - cpu;
  return report;
}

// Pinger sends one datagram at a time and measures until it is back.
template <class Port>
class Pinger {
 public:
  Pinger(Port& port, std::size_t bytes) : port_(port), datagram_(bytes) {}

  // Returns the round trip's time, or nothing for a datagram that is lost.
  std::optional<Duration> ping() {
    store_be64(datagram_.data(), ++sequence_);
    const Time sent = monotonic_now();
    port_.send(datagram_);
    port_.flush();
    bool back = false;
    for (;;) {
      port_.receive([&](const Arrival& arrival) {
        back |= arrival.bytes.size() >= 8 && load_be64(arrival.bytes.data()) == sequence_;
      });
      const Time now = monotonic_now();
      if (back) return now - sent;
      if (now - sent > kLost) return std::nullopt;
    }
  }

 private:
  Port& port_;
  std::vector<std::uint8_t> datagram_;
  std::uint64_t sequence_ = 0;
};

template <class Port>
PingReport ping(Port& port, const Options& options) {
  Pinger<Port> pinger(port, options.datagram_bytes);
  PingReport report;
  const Time begin = monotonic_now() + options.warmup;
  while (monotonic_now() < begin) static_cast<void>(pinger.ping());
  const double cpu = cpu_seconds(options.thread_time);
  const Time begun = monotonic_now();
  Time now = begun;
  for (; now < begun + options.duration; now = monotonic_now()) {
    if (const auto round_trip = pinger.ping()) {
      report.round_trip.record(*round_trip);
    } else {
      ++report.lost;
    }
  }
  report.seconds = std::chrono::duration<double>(now - begun).count();
  report.cpu_seconds = cpu_seconds(options.thread_time) - cpu;
  return report;
}

}  // namespace

Result<PongReport, io::IoError> run_pong(RawSocket& socket, const Options& options) {
  if (auto pinned = pin_thread(options.cpu); !pinned) return Failure(pinned.error());
  const auto plan = await_hello(socket, options.patience);
  if (!plan) return Failure(plan.error());
  return with_port<PongReport>(
      socket, options, true, false,
      [&](auto& port) -> Result<PongReport, io::IoError> { return pong(port, socket, options); });
}

Result<PingReport, io::IoError> run_ping(RawSocket& socket, const Options& options) {
  if (auto pinned = pin_thread(options.cpu); !pinned) return Failure(pinned.error());
  const Control plan{Word::kHello, options.warmup, options.duration};
  if (auto ready = call(socket, plan, Word::kReady, options.patience); !ready) {
    return Failure(ready.error());
  }
  auto report = options.rate > 0
                    ? Result<PingReport, io::IoError>(run_open_loop(socket, options))
                    : with_port<PingReport>(socket, options, true, false,
                                            [&](auto& port) -> Result<PingReport, io::IoError> {
                                              return ping(port, options);
                                            });
  if (report)
    static_cast<void>(call(socket, {.word = Word::kFinish}, Word::kDone, seconds(2)).ok());
  return report;
}

}  // namespace millrace::reference
