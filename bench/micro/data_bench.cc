// SPDX-License-Identifier: Apache-2.0
//
// The two halves of an association apart: messages into packets, chunks into messages.
#include <algorithm>
#include <numeric>
#include <vector>

#include "bench/micro/report.h"
#include "bench/support/rx_memory.h"
#include "engine/base/check.h"
#include "sctp/rx/data_receiver.h"
#include "sctp/tx/data_sender.h"

namespace millrace::bench {
namespace {

constexpr std::size_t kBurst = 32;  // Packets to a SACK.
constexpr sctp::StreamId kStream{1};
constexpr sctp::Ppid kBinary{53};

// Queued, cut into packets and acknowledged; without checksums.
void send(benchmark::State& state) {
  BlockPool pool;
  sctp::DataSenderOptions options;
  options.congestion.initial_window_packets = 4096;
  sctp::DataSender sender(options, pool);
  Time now{seconds(1)};
  sender.establish(now, std::size_t{64} << 20, 16, true);
  const std::vector<std::uint8_t> message(static_cast<std::size_t>(state.range(0)), 0x5a);
  std::vector<std::uint8_t> space(options.max_packet_bytes);
  measure(state, [&] {
    now += microseconds(100);
    std::uint64_t packets = 0;
    while (packets < kBurst) {
      while (sender.total_buffered_amount() < space.size()) {
        CHECK(sender.send(now, kStream, kBinary, message, {}) == sctp::SendStatus::kOk);
      }
      sctp::PacketWriter packet(space, {});
      if (!sender.append_chunks(now, packet)) break;
      ++packets;
    }
    CHECK(packets == kBurst);
    CHECK(sender.handle_cumulative_ack(now, sender.next_tsn().previous()).newly_acked);
    return packets;
  });
}
BENCHMARK(send)->Name("Send/message_bytes")->Arg(100)->Arg(1100)->Arg(16384);

// Receiving is bursts of chunks handed to a receiver, one chunk a packet.
class Receiving {
 public:
  explicit Receiving(std::uint32_t chunks_in_message)
      : fragments_(chunks_in_message), receiver_(options(), pool_), buffer_(memory_.buffer()) {}

  // `order` is a permutation of a burst.
  std::uint64_t burst(std::span<const std::uint32_t> order) {
    now_ += microseconds(100);
    for (const std::uint32_t i : order) {
      const std::uint32_t tsn = next_ + i;
      const std::uint32_t at = tsn % fragments_;
      const sctp::DataChunkView chunk{{sctp::Tsn(tsn),
                                       kStream,
                                       sctp::Ssn(static_cast<std::uint16_t>(tsn / fragments_)),
                                       kBinary,
                                       {.beginning = at == 0, .ending = at + 1 == fragments_}},
                                      {buffer_->data + i * 1200, 1100}};
      CHECK(receiver_.handle_data(now_, chunk, buffer_) == sctp::DataResult::kAccepted);
      sctp::MessageView message;
      while (receiver_.poll_message(message)) benchmark::DoNotOptimize(message);
      receiver_.end_packet(now_);
    }
    next_ += static_cast<std::uint32_t>(order.size());
    receiver_.settle(now_);
    sctp::PacketWriter packet(space_, {});
    CHECK(receiver_.append_sack(packet));
    return order.size();
  }

 private:
  static sctp::DataReceiverOptions options() {
    sctp::DataReceiverOptions made;
    made.peer_initial_tsn = sctp::Tsn(0);
    return made;
  }

  const std::uint32_t fragments_;
  RxMemory memory_;
  BlockPool pool_;
  sctp::DataReceiver receiver_;
  BufferRef buffer_;
  std::vector<std::uint8_t> space_ = std::vector<std::uint8_t>(1160);
  Time now_{seconds(1)};
  std::uint32_t next_ = 0;
};

void receive(benchmark::State& state, std::uint32_t fragments, std::size_t reversed) {
  Receiving receiving(fragments);
  std::vector<std::uint32_t> order(kBurst);
  std::iota(order.begin(), order.end(), 0u);
  for (auto at = order.begin(); reversed > 1 && at != order.end();
       at += static_cast<std::ptrdiff_t>(reversed)) {
    std::reverse(at, at + static_cast<std::ptrdiff_t>(reversed));
  }
  measure(state, [&] { return receiving.burst(order); });
}
BENCHMARK_CAPTURE(receive, whole, 1, 1)->Name("Receive/whole_in_order");
BENCHMARK_CAPTURE(receive, fragmented, 16, 1)->Name("Receive/16_fragments_in_order");
BENCHMARK_CAPTURE(receive, whole_reversed, 1, 8)->Name("Receive/whole_reversed_by_8");
BENCHMARK_CAPTURE(receive, fragmented_reversed, 16, 8)->Name("Receive/16_fragments_reversed_by_8");

}  // namespace
}  // namespace millrace::bench
