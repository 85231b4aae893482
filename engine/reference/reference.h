// SPDX-License-Identifier: Apache-2.0
//
// The raw reference: what UDP itself gives on this machine, with nothing above it. It is
// the denominator of every claim of speed, so it does as little as can be done: a blaster
// (one way, GSO and GRO) and a ping-pong, each of two ends in two threads or processes.
//
// One end listens (`run_receiver`, `run_pong`), the other begins (`run_sender`,
// `run_ping`) and says how long it lasts. Each call returns when the exchange is over.
#pragma once

#include <cstdint>

#include "engine/base/histogram.h"
#include "engine/base/result.h"
#include "engine/base/time.h"
#include "engine/reference/raw_socket.h"

namespace millrace::reference {

struct Options {
  bool uring = false;   // io_uring instead of plain calls.
  bool device = false;  // A device past the kernel, by whoever has one (bench/reference).
  bool spin = true;     // Poll for what arrives; otherwise sleep in the kernel.
  int cpu = -1;         // Pins the calling thread; -1: leaves it.
  // The beginning side says these.
  std::size_t datagram_bytes = 1200;
  unsigned segments = 54;  // Datagrams of a GSO send, as far as 64 KB hold them; 1: no GSO.
  unsigned depth = 8;      // GSO sends handed over in one system call.
  // The sender keeps within this of what the receiver has told it of, so that neither the
  // queue between them overflows nor its memory leaves the cache; 0: it sends blindly.
  std::size_t window_bytes = 4u << 20;
  // Pings a second, by the clock and by plain calls; 0: each behind the last one's echo.
  std::uint64_t rate = 0;
  Duration warmup = seconds(1);
  Duration duration = seconds(10);
  Duration patience = seconds(10);  // How long either side waits for the other to appear.
  // CPU time of the calling thread instead of the process: for both ends in one process.
  bool thread_time = false;
};

// An end that hears nothing for as long takes the exchange for ended.
inline constexpr Duration kSilence = seconds(2);
inline constexpr std::size_t kMinDatagramBytes = 32;  // A hello fits.
inline constexpr std::size_t kMaxDatagramBytes = 65'000;

// ReceiverReport is what arrived between the end of the warm-up and the end of the
// duration, by the receiver's clock. Goodput counts the payload of datagrams.
struct ReceiverReport {
  std::uint64_t datagrams = 0;
  std::uint64_t bytes = 0;
  std::uint64_t lost = 0;      // By sequence numbers.
  std::uint64_t receives = 0;  // Buffers that the kernel filled: datagrams by GRO.
  double seconds = 0;
  double cpu_seconds = 0;
  double goodput_mbps() const {
    return seconds > 0 ? static_cast<double>(bytes) * 8e-6 / seconds : 0;
  }
};
struct SenderReport {
  std::uint64_t datagrams = 0;
  std::uint64_t bytes = 0;
  double seconds = 0;
  double cpu_seconds = 0;
};
struct PongReport {
  std::uint64_t datagrams = 0;
  double seconds = 0;
  double cpu_seconds = 0;
};
struct PingReport {
  Histogram round_trip;  // Nanoseconds, one sample for each datagram that came back.
  std::uint64_t lost = 0;
  double seconds = 0;
  double cpu_seconds = 0;
};

// False where io_uring is missing or forbidden.
bool uring_available();

// The listening end, on a socket from `RawSocket::listen`. Fails when nobody appears.
Result<ReceiverReport, io::IoError> run_receiver(RawSocket& socket, const Options& options);
Result<PongReport, io::IoError> run_pong(RawSocket& socket, const Options& options);
// The beginning end, on a socket from `RawSocket::connect`.
Result<SenderReport, io::IoError> run_sender(RawSocket& socket, const Options& options);
Result<PingReport, io::IoError> run_ping(RawSocket& socket, const Options& options);

}  // namespace millrace::reference
