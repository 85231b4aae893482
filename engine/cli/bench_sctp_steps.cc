// SPDX-License-Identifier: Apache-2.0
#include "engine/cli/bench_sctp_steps.h"

#include <algorithm>
#include <array>
#include <memory>
#include <vector>

#include "crypto/mac.h"
#include "engine/base/block_pool.h"
#include "engine/base/rng.h"
#include "engine/base/rx_buffer.h"
#include "engine/cli/bench_steps.h"
#include "engine/reference/hello.h"
#include "sctp/association.h"

namespace millrace::cli {
namespace {

constexpr std::size_t kMessageBytes = 16'384;
constexpr std::size_t kBuffers = 256;

// StopWatch tells the time since it was last asked.
class StopWatch {
 public:
  Duration lap() {
    const Time now = reference::monotonic_now();
    const Duration passed = now - last_;
    last_ = now;
    return passed;
  }

 private:
  Time last_ = reference::monotonic_now();
};

// Pair is two associations that hand their packets to each other in bursts, as GRO has
// them, with a clock at each border.
class Pair final : private RxBufferHome {
 public:
  Pair()
      : buffers_(kBuffers),
        message_(kMessageBytes),
        sender_({}, rng_, mac_, pool_),
        receiver_({}, rng_, mac_, pool_) {
    free_.reserve(kBuffers);
    for (Buffer& buffer : buffers_) {
      buffer.bytes.resize(kBurst * kDatagram);
      buffer.header.home = this;
      buffer.header.data = buffer.bytes.data();
      buffer.header.capacity = static_cast<std::uint32_t>(buffer.bytes.size());
      free_.push_back(&buffer.header);
    }
    sender_.connect(now_);
    receiver_.connect(now_);
    for (int i = 0; i < 100 && !sender_.is_connected(); ++i) turn();
    CHECK(sender_.is_connected());
  }

  void turn() {
    now_ += microseconds(20);
    for (sctp::Association* const end : {&sender_, &receiver_}) {
      if (end->next_timeout() <= now_) end->handle_timeout(now_);
    }
    StopWatch watch;
    while (sender_.is_connected() && sender_.send(now_, sctp::StreamId{1}, sctp::Ppid{53},
                                                  message_) == sctp::SendStatus::kOk) {
    }
    queue_ += watch.lap();
    data_packets_ += carry(sender_, receiver_, build_, parse_, deliver_);
    Duration rest{};
    carry(receiver_, sender_, sack_build_, sack_process_, rest);
    sack_process_ += rest;
  }

  void reset() {
    queue_ = build_ = parse_ = deliver_ = sack_build_ = sack_process_ = {};
    data_packets_ = received_bytes_ = 0;
  }

  SctpCosts costs() const {
    const auto packets = static_cast<double>(std::max<std::uint64_t>(data_packets_, 1));
    const auto each = [&](Duration span) { return static_cast<double>(span.count()) / packets; };
    return {.queue_ns = each(queue_),
            .build_ns = each(build_),
            .parse_ns = each(parse_),
            .deliver_ns = each(deliver_),
            .sack_build_ns = each(sack_build_),
            .sack_process_ns = each(sack_process_),
            .payload_bytes = static_cast<double>(received_bytes_) / packets};
  }

 private:
  struct Buffer {
    RxBuffer header;
    std::vector<std::uint8_t> bytes;
  };

  void release(RxBuffer& buffer) override { free_.push_back(&buffer); }

  std::size_t carry(sctp::Association& from, sctp::Association& to, Duration& write, Duration& read,
                    Duration& finish) {
    CHECK(!free_.empty());
    RxBuffer* const taken = free_.back();
    free_.pop_back();
    const BufferRef buffer(taken);
    StopWatch watch;
    std::size_t packets = 0;
    while (packets < kBurst) {
      const std::size_t size =
          from.poll_packet(now_, {taken->data + packets * kDatagram, kDatagram});
      if (size == 0) break;
      sizes_[packets++] = size;
    }
    write += watch.lap();
    for (std::size_t i = 0; i < packets; ++i) {
      to.handle_packet(now_, {taken->data + i * kDatagram, sizes_[i]}, buffer);
    }
    read += watch.lap();
    sctp::Event event;
    while (to.poll_event(event)) {
      if (event.kind == sctp::EventKind::kMessage) received_bytes_ += event.message.size;
    }
    if (packets != 0) to.handle_burst_end(now_);
    finish += watch.lap();
    return packets;
  }

  Time now_{seconds(1)};
  crypto::BoringMac mac_;
  SeededRng rng_{7};
  BlockPool pool_;
  std::vector<Buffer> buffers_;
  std::vector<RxBuffer*> free_;
  std::array<std::size_t, kBurst> sizes_{};
  std::vector<std::uint8_t> message_;
  Duration queue_{};
  Duration build_{};
  Duration parse_{};
  Duration deliver_{};
  Duration sack_build_{};
  Duration sack_process_{};
  std::uint64_t data_packets_ = 0;
  std::uint64_t received_bytes_ = 0;
  sctp::Association sender_;
  sctp::Association receiver_;
};

}  // namespace

SctpCosts measure_sctp(Duration each) {
  Pair pair;
  // The window grows first.
  for (int i = 0; i < 2000; ++i) pair.turn();
  pair.reset();
  const Time end = reference::monotonic_now() + 6 * each;
  while (reference::monotonic_now() < end) pair.turn();
  return pair.costs();
}

}  // namespace millrace::cli
