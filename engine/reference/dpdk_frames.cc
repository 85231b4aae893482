// SPDX-License-Identifier: Apache-2.0
#include "engine/reference/dpdk_frames.h"

#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include <array>
#include <memory>
#include <thread>

#include "engine/reference/hello.h"
#include "io/dpdk/dpdk_port.h"

namespace millrace::reference {
namespace {

constexpr std::uint16_t kBurst = 64;
constexpr std::size_t kHeaderBytes = 42;      // Ethernet, IPv4, UDP.
constexpr std::uint16_t kFrameType = 0x88b5;  // IEEE 802: for local experiments.
constexpr Duration kRepeat = milliseconds(10);
constexpr Duration kReviveInterval = seconds(1);
// After the last frame of a blast the receiver looks on for so long.
constexpr Duration kLinger = milliseconds(200);

enum class Kind : std::uint64_t { kHello = 1, kReady, kData };

// What stands behind the Ethernet header of a frame, big-endian.
struct Content {
  Kind kind = Kind::kData;
  std::uint64_t number = 0;  // Of kData.
  Duration warmup{};         // Of kHello.
  Duration duration{};
};
constexpr std::size_t kContentAt = 14;
constexpr std::size_t kContentBytes = 32;

class Frames {
 public:
  // In the thread that is to use it.
  static Result<std::unique_ptr<Frames>, io::IoError> begin(const FramePort& port,
                                                            const Options& options) {
    if (const auto pinned = pin_thread(options.cpu); !pinned) return Failure(pinned.error());
    io::register_eal_thread();
    auto frames = std::make_unique<Frames>(port);
    if (!frames->await_link(options.patience)) return Failure(frames->nobody(options.patience));
    return frames;
  }
  explicit Frames(FramePort port) : port_(std::move(port)) {}

  io::IoError nobody(Duration patience) const {
    const auto waited = std::chrono::duration_cast<milliseconds>(patience).count();
    return {port_->name() + ": nobody at the other end within " + std::to_string(waited) + " ms",
            0};
  }

  // False: the link is still down after `patience`.
  bool await_link(Duration patience) {
    Time again = monotonic_now() + kReviveInterval;
    for (const Time end = monotonic_now() + patience; !port_->link_up();) {
      const Time now = monotonic_now();
      if (now > end) return false;
      std::this_thread::sleep_for(kRepeat);
      // An attempt that is under way is left alone for a while.
      if (port_->running() && now < again) continue;
      port_->revive();
      again = now + kReviveInterval;
    }
    return true;
  }
  std::uint16_t receive(std::array<rte_mbuf*, kBurst>& frames) {
    if (!port_->running()) return 0;
    const io::BurstScope scope(port_->guard(), 0);
    return rte_eth_rx_burst(port_->id(), 0, frames.data(), kBurst);
  }
  std::uint16_t send(rte_mbuf** frames, std::uint16_t n) {
    if (!port_->running()) return 0;
    const io::BurstScope scope(port_->guard(), 0);
    return rte_eth_tx_burst(port_->id(), 0, frames, n);
  }
  // Sends one frame, as soon as the device takes it or not at all.
  void send_one(const Content& content, std::size_t bytes) {
    rte_mbuf* frame = nullptr;
    if (!make(&frame, 1, bytes)) return;
    write(*frame, content);
    if (send(&frame, 1) == 0) rte_pktmbuf_free(frame);
  }
  bool make(rte_mbuf** frames, std::uint16_t n, std::size_t bytes) {
    if (rte_pktmbuf_alloc_bulk(port_->queue(0).tx_pool, frames, n) != 0) return false;
    for (std::uint16_t i = 0; i < n; ++i) {
      frames[i]->data_len = static_cast<std::uint16_t>(bytes);
      frames[i]->pkt_len = static_cast<std::uint32_t>(bytes);
    }
    return true;
  }
  static void write(rte_mbuf& frame, const Content& content) {
    auto* const at = rte_pktmbuf_mtod(&frame, std::uint8_t*);
    store_be16(at + kContentAt - 2, kFrameType);
    store_be64(at + kContentAt, static_cast<std::uint64_t>(content.kind));
    store_be64(at + kContentAt + 8, content.number);
    if (content.kind == Kind::kData) return;
    store_be64(at + kContentAt + 16, static_cast<std::uint64_t>(content.warmup.count()));
    store_be64(at + kContentAt + 24, static_cast<std::uint64_t>(content.duration.count()));
  }
  static bool read(const rte_mbuf& frame, Content& content) {
    const auto* const at = rte_pktmbuf_mtod(&frame, const std::uint8_t*);
    if (frame.data_len < kContentAt + kContentBytes ||
        load_be16(at + kContentAt - 2) != kFrameType) {
      return false;
    }
    content.kind = static_cast<Kind>(load_be64(at + kContentAt));
    content.number = load_be64(at + kContentAt + 8);
    if (content.kind == Kind::kData) return true;
    content.warmup = Duration(static_cast<Duration::rep>(load_be64(at + kContentAt + 16)));
    content.duration = Duration(static_cast<Duration::rep>(load_be64(at + kContentAt + 24)));
    return true;
  }

  // The beginning end: says how long it lasts until the other is ready.
  bool call(const Options& options) {
    std::array<rte_mbuf*, kBurst> frames;
    for (const Time end = monotonic_now() + options.patience; monotonic_now() < end;) {
      send_one({Kind::kHello, 0, options.warmup, options.duration},
               kHeaderBytes + kMinDatagramBytes);
      std::this_thread::sleep_for(kRepeat);
      bool ready = false;
      const std::uint16_t n = receive(frames);
      Content content;
      for (std::uint16_t i = 0; i < n; ++i) {
        ready |= read(*frames[i], content) && content.kind == Kind::kReady;
      }
      rte_pktmbuf_free_bulk(frames.data(), n);
      if (ready) return true;
    }
    return false;
  }

 private:
  const FramePort port_;
};

double seconds_between(Time from, Time to) {
  return std::chrono::duration<double>(to - from).count();
}

}  // namespace

Result<FramePort, io::IoError> open_frame_port(const std::string& device) {
  io::DpdkPortOptions options;
  options.device = device;
  options.eal.memory_mb = 128;
  options.net.mtu = 0;
  options.net.addresses.push_back(*io::IpPrefix::parse("198.18.0.1/24"));
  return io::DpdkPort::create(std::move(options));
}

Result<ReceiverReport, io::IoError> receive_frames(const FramePort& port, const Options& options) {
  auto opened = Frames::begin(port, options);
  if (!opened) return Failure(opened.error());
  Frames& frames = *opened.value();
  ReceiverReport report;
  std::array<rte_mbuf*, kBurst> burst;
  Control plan;
  Time from = kNever;  // Of the time measured.
  Time last = monotonic_now();
  std::uint64_t expected = 0;
  double cpu = 0;
  for (;;) {
    const Time now = monotonic_now();
    if (from != kNever && now >= from + plan.duration) {
      report.seconds = seconds_between(from, now);
      report.cpu_seconds = cpu_seconds(options.thread_time) - cpu;
      break;
    }
    const std::uint16_t n = frames.receive(burst);
    if (n == 0) {
      if (now - last > options.patience) return Failure(frames.nobody(options.patience));
      continue;
    }
    last = now;
    const bool measured = from != kNever && now >= from;
    if (measured && cpu == 0) cpu = cpu_seconds(options.thread_time);
    report.receives += measured ? 1 : 0;
    Content content;
    for (std::uint16_t i = 0; i < n; ++i) {
      if (!Frames::read(*burst[i], content)) continue;
      if (content.kind == Kind::kHello) {
        plan.warmup = content.warmup;
        plan.duration = content.duration;
        frames.send_one({Kind::kReady, 0, {}, {}}, kHeaderBytes + kMinDatagramBytes);
        continue;
      }
      if (from == kNever) from = now + plan.warmup;
      if (measured) {
        ++report.datagrams;
        report.bytes += burst[i]->pkt_len - kHeaderBytes;
        if (content.number > expected) report.lost += content.number - expected;
      }
      expected = content.number + 1;
    }
    rte_pktmbuf_free_bulk(burst.data(), n);
  }
  return report;
}

Result<SenderReport, io::IoError> send_frames(const FramePort& port, const Options& options) {
  auto opened = Frames::begin(port, options);
  if (!opened) return Failure(opened.error());
  Frames& frames = *opened.value();
  if (!frames.call(options)) return Failure(frames.nobody(options.patience));
  const std::size_t bytes = kHeaderBytes + options.datagram_bytes;
  SenderReport report;
  std::array<rte_mbuf*, kBurst> burst;
  std::uint64_t number = 0;
  const Time begin = monotonic_now() + options.warmup;
  const Time end = begin + options.duration;
  double cpu = 0;
  Time now = monotonic_now();
  for (; now < end + kLinger; now = monotonic_now()) {
    if (!frames.make(burst.data(), kBurst, bytes)) continue;
    for (rte_mbuf* const frame : burst) Frames::write(*frame, {Kind::kData, number++, {}, {}});
    for (std::uint16_t sent = 0; sent < kBurst && monotonic_now() < end + 2 * kLinger;) {
      const std::uint16_t n =
          frames.send(burst.data() + sent, static_cast<std::uint16_t>(kBurst - sent));
      sent = static_cast<std::uint16_t>(sent + n);
    }
    if (now < begin || now >= end) continue;
    if (cpu == 0) cpu = cpu_seconds(options.thread_time);
    report.datagrams += kBurst;
    report.bytes += kBurst * options.datagram_bytes;
  }
  report.seconds = seconds_between(begin, end);
  report.cpu_seconds = cpu_seconds(options.thread_time) - cpu;
  return report;
}

Result<PongReport, io::IoError> pong_frames(const FramePort& port, const Options& options) {
  auto opened = Frames::begin(port, options);
  if (!opened) return Failure(opened.error());
  Frames& frames = *opened.value();
  PongReport report;
  std::array<rte_mbuf*, kBurst> burst;
  Time end = monotonic_now() + options.patience;
  bool begun = false;
  const double cpu = cpu_seconds(options.thread_time);
  while (monotonic_now() < end) {
    const std::uint16_t n = frames.receive(burst);
    for (std::uint16_t i = 0; i < n; ++i) {
      Content content;
      if (Frames::read(*burst[i], content) && content.kind == Kind::kHello) {
        end = monotonic_now() + content.warmup + content.duration + kLinger;
        Frames::write(*burst[i], {Kind::kReady, 0, {}, {}});
      } else {
        ++report.datagrams;
        begun = true;
      }
      // Back it goes, as it is.
      if (frames.send(&burst[i], 1) == 0) rte_pktmbuf_free(burst[i]);
    }
  }
  if (!begun) return Failure(frames.nobody(options.patience));
  report.cpu_seconds = cpu_seconds(options.thread_time) - cpu;
  return report;
}

Result<PingReport, io::IoError> ping_frames(const FramePort& port, const Options& options) {
  auto opened = Frames::begin(port, options);
  if (!opened) return Failure(opened.error());
  Frames& frames = *opened.value();
  if (!frames.call(options)) return Failure(frames.nobody(options.patience));
  PingReport report;
  std::array<rte_mbuf*, kBurst> burst;
  const Time begin = monotonic_now() + options.warmup;
  const Time end = begin + options.duration;
  const double cpu = cpu_seconds(options.thread_time);
  std::uint64_t number = 0;
  for (Time sent = monotonic_now(); sent < end; sent = monotonic_now()) {
    frames.send_one({Kind::kData, ++number, {}, {}}, kHeaderBytes + options.datagram_bytes);
    bool answered = false;
    while (!answered && monotonic_now() < sent + seconds(1)) {
      const std::uint16_t n = frames.receive(burst);
      Content content;
      for (std::uint16_t i = 0; i < n; ++i) {
        answered |= Frames::read(*burst[i], content) && content.number == number;
      }
      rte_pktmbuf_free_bulk(burst.data(), n);
    }
    if (sent < begin) continue;
    if (answered) {
      report.round_trip.record(monotonic_now() - sent);
    } else {
      ++report.lost;
    }
  }
  report.seconds = seconds_between(begin, end);
  report.cpu_seconds = cpu_seconds(options.thread_time) - cpu;
  return report;
}

}  // namespace millrace::reference
