// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <vector>

#include "engine/reference/hello.h"
#include "engine/reference/ports.h"
#include "engine/reference/reference.h"

namespace millrace::reference {
namespace {

constexpr std::size_t kMaxRunBytes = 65'000;
constexpr unsigned kMaxSegments = 64;  // UDP_MAX_SEGMENTS of older kernels.
// The sender goes on for a little, so that the receiver's time is filled.
constexpr Duration kTail = milliseconds(200);
// The receiver gives credit each time so much has come.
constexpr std::size_t kCreditBytes = 256u << 10;
// A sender without credit for so long takes it that what it sent was lost, and goes on.
constexpr milliseconds kStarved{1};

// ReceiveCount adds up what arrives and cuts the measured time out of it.
class ReceiveCount {
 public:
  ReceiveCount(const Control& plan, bool thread_time) : plan_(plan), thread_time_(thread_time) {}

  void add(const Arrival& arrival) {
    const std::size_t datagrams = arrival.datagrams();
    report_.datagrams += datagrams;
    report_.bytes += arrival.bytes.size();
    bytes_ += arrival.bytes.size();
    ++report_.receives;
    heard_ = true;
    if (arrival.bytes.size() < 8) return;
    next_ = std::max(next_, load_be64(arrival.bytes.data()) + datagrams);
  }

  // Call it after each receive.
  void tick(Time now) {
    if (heard_) last_ = now;
    if (first_ == kNever) {
      if (heard_) first_ = now;
    } else if (begun_ == kNever) {
      if (now - first_ >= plan_.warmup) begin(now);
    } else if (ended_ == kNever && now - begun_ >= plan_.duration) {
      end(now);
    }
    heard_ = false;
  }

  // True once for each kCreditBytes or so.
  bool credit_due() {
    if (bytes_ - credited_bytes_ < kCreditBytes) return false;
    credited_bytes_ = bytes_;
    return true;
  }
  std::uint64_t expects() const { return next_; }
  bool silent(Time now) const { return first_ != kNever && now - last_ > kSilence; }

  ReceiverReport finish(Time now) {
    if (begun_ == kNever) begin(now);
    if (ended_ == kNever) end(last_ == kNever ? now : std::max(last_, begun_));
    return result_;
  }

 private:
  void begin(Time now) {
    begun_ = now;
    report_ = {};
    begun_at_ = next_;
    cpu_ = cpu_seconds(thread_time_);
  }
  void end(Time now) {
    ended_ = now;
    result_ = report_;
    const std::uint64_t expected = next_ - begun_at_;
    result_.lost = expected > result_.datagrams ? expected - result_.datagrams : 0;
    result_.seconds = std::chrono::duration<double>(now - begun_).count();
    result_.cpu_seconds = cpu_seconds(thread_time_) - cpu_;
  }

  const Control plan_;
  const bool thread_time_;
  bool heard_ = false;
  Time first_ = kNever;
  Time last_ = kNever;
  Time begun_ = kNever;
  Time ended_ = kNever;
  std::uint64_t next_ = 0;  // One past the highest sequence number.
  std::uint64_t begun_at_ = 0;
  std::uint64_t bytes_ = 0;
  std::uint64_t credited_bytes_ = 0;
  double cpu_ = 0;
  ReceiverReport report_;
  ReceiverReport result_;
};

template <class Port>
ReceiverReport receive_blast(Port& port, const RawSocket& socket, const Control& plan,
                             const Options& options) {
  ReceiveCount count(plan, options.thread_time);
  bool finished = false;
  Time now = monotonic_now();
  while (!finished && !count.silent(now)) {
    port.receive([&](const Arrival& arrival) {
      if (const auto control = parse_control(arrival.bytes)) {
        finished |= answer_control(socket, *control);
      } else {
        count.add(arrival);
        if (count.credit_due()) {
          send_control(socket, {.word = Word::kCredit, .expects = count.expects()});
        }
      }
    });
    now = monotonic_now();
    count.tick(now);
  }
  return count.finish(now);
}

// Blaster fills runs with numbered datagrams and sends them without end.
class Blaster {
 public:
  explicit Blaster(const Options& options)
      : bytes_(options.datagram_bytes),
        segments_(std::clamp<std::size_t>(std::min<std::size_t>(options.segments, kMaxSegments), 1,
                                          std::max<std::size_t>(kMaxRunBytes / bytes_, 1))),
        memory_(options.depth * kPortBufferBytes),
        runs_(options.depth) {
    for (std::size_t i = 0; i < runs_.size(); ++i) {
      runs_[i].data = memory_.data() + i * kPortBufferBytes;
      runs_[i].bytes = segments_ * bytes_;
      runs_[i].prepare(segments_ > 1 ? bytes_ : 0);
    }
  }

  template <class Port>
  bool send(Port& port) {
    for (GsoRun& run : runs_) {
      for (std::size_t i = 0; i < segments_; ++i) store_be64(run.data + i * bytes_, next_++);
    }
    return port.send_runs(runs_);
  }
  std::uint64_t sent() const { return next_; }

 private:
  const std::size_t bytes_;
  const std::size_t segments_;
  io::MappedMemory memory_;
  std::vector<GsoRun> runs_;
  std::uint64_t next_ = 0;
};

// Pace keeps the sender within its window.
class Pace {
 public:
  Pace(const RawSocket& socket, const Options& options)
      : socket_(socket),
        spin_(options.spin),
        window_(options.window_bytes / options.datagram_bytes) {}

  // Returns when more may be sent than the `sent` datagrams so far.
  void wait(std::uint64_t sent) {
    if (window_ == 0 || sent < credit_ + window_) return;
    const Time limit = monotonic_now() + kStarved;
    while (sent >= credit_ + window_) {
      if (const auto credit = take_credit(socket_, spin_ ? milliseconds(0) : kStarved)) {
        credit_ = std::max(credit_, *credit);
      } else if (monotonic_now() >= limit) {
        credit_ = sent;
      }
    }
  }

 private:
  const RawSocket& socket_;
  const bool spin_;
  const std::uint64_t window_;  // Datagrams.
  std::uint64_t credit_ = 0;    // What the receiver expects next.
};

template <class Port>
Result<SenderReport, io::IoError> send_blast(Port& port, const RawSocket& socket,
                                             const Options& options) {
  Pace pace(socket, options);
  Blaster blaster(options);
  SenderReport report;
  const Time start = monotonic_now();
  const Time begin = start + options.warmup;
  const Time end = begin + options.duration;
  Time begun = kNever;
  Time now = start;
  double cpu = 0;
  for (; now < end; now = monotonic_now()) {
    if (begun == kNever && now >= begin) {
      begun = now;
      cpu = cpu_seconds(options.thread_time);
      report.datagrams = blaster.sent();
    }
    pace.wait(blaster.sent());
    if (!blaster.send(port)) return Failure(io::IoError{"the receiver is gone", 0});
  }
  report.datagrams = blaster.sent() - report.datagrams;
  report.bytes = report.datagrams * options.datagram_bytes;
  report.seconds = std::chrono::duration<double>(now - begun).count();
  report.cpu_seconds = cpu_seconds(options.thread_time) - cpu;
  while (monotonic_now() < end + kTail && blaster.send(port)) pace.wait(blaster.sent());
  return report;
}

}  // namespace

bool uring_available() {
#ifdef MILLRACE_IO_URING
  return io::Uring::create(8, 8, 1).ok();
#else
  return false;
#endif
}

Result<ReceiverReport, io::IoError> run_receiver(RawSocket& socket, const Options& options) {
  if (auto pinned = pin_thread(options.cpu); !pinned) return Failure(pinned.error());
  const auto plan = await_hello(socket, options.patience);
  if (!plan) return Failure(plan.error());
  return with_port<ReceiverReport>(socket, options, true, true,
                                   [&](auto& port) -> Result<ReceiverReport, io::IoError> {
                                     return receive_blast(port, socket, plan.value(), options);
                                   });
}

Result<SenderReport, io::IoError> run_sender(RawSocket& socket, const Options& options) {
  if (auto pinned = pin_thread(options.cpu); !pinned) return Failure(pinned.error());
  const Control plan{Word::kHello, options.warmup, options.duration};
  if (auto ready = call(socket, plan, Word::kReady, options.patience); !ready) {
    return Failure(ready.error());
  }
  auto report = with_port<SenderReport>(
      socket, options, false, true, [&](auto& port) { return send_blast(port, socket, options); });
  // A receiver that is gone by itself has its figures.
  if (report)
    static_cast<void>(call(socket, {.word = Word::kFinish}, Word::kDone, seconds(2)).ok());
  return report;
}

}  // namespace millrace::reference
