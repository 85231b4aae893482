// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "sctp/control_queue.h"
#include "sctp/rx/received_tsns.h"
#include "sctp/tx/delivery_rate.h"
#include "test/sim/hostile_scenario.h"

namespace millrace::test {
namespace {

// A packet of the largest MTU is held whole, however small the window, beside the one that came
// before it.
constexpr std::size_t kPacketsBytes = 2 * 9000;

// What a chunk on its way costs its sender: a place in the ring, in the two orders of sending and
// in the list of fragments. Rings double.
constexpr std::size_t kRecordBytes = 2 * (sizeof(sctp::OutstandingChunk) + 2 * 4 + 8);

// What there may be of anything else: ranges of TSNs that came, of both ends, in two lists that
// double; control chunks, as often; and what is kept of each stream, of which none has more than
// some hundred bytes in any of a dozen tables.
constexpr std::size_t kOddBytes =
    4 * sctp::ReceivedTsns::kMaxRanges * sizeof(sctp::ReceivedTsns::Range) +
    2 * sctp::ControlQueue::kMaxBytes;
constexpr std::size_t kStreamBytes = 1024;

std::size_t window_of(const sctp::Options& options) {
  return std::max(options.receive_window_bytes, options.max_receive_window_bytes);
}

}  // namespace

// Payload, sent and received. The queue takes a quarter more than the send buffer, for streams that
// have nothing queued, and a message that is larger than all of it. On its way is as much as the
// peer's window says, at twice its size where messages are tiny, and the rest of messages of which
// the beginning is acknowledged: they were all in the queue at one time. Received is up to twice
// the window: beyond, the association ends.
std::size_t HostileScenario::payload_bound(int end) const {
  const sctp::Options& own = options_[static_cast<std::size_t>(end)];
  const sctp::Options& peer = options_[static_cast<std::size_t>(1 - end)];
  const std::size_t queue = own.send_buffer_bytes + own.send_buffer_bytes / 4 +
                            BlockPool::block_bytes(sizeof(sctp::OutgoingMessage) + kMostBytes);
  return 2 * queue + 2 * window_of(peer) + 2 * window_of(own) + kPacketsBytes;
}

// All else that the association has on the heap. Places of chunks that are held, and of messages
// put together, are charged to the window; what they are in doubles. Controllers by rate keep what
// was true when each flush left. Malloc rounds the pool's large blocks up to pages.
std::size_t HostileScenario::heap_bound(int end) const {
  const sctp::Options& own = options_[static_cast<std::size_t>(end)];
  const End& self = ends_[static_cast<std::size_t>(end)];
  const bool samples = own.congestion != sctp::CongestionAlgorithm::kCubic &&
                       own.congestion != sctp::CongestionAlgorithm::kNewReno;
  const std::size_t flushes =
      samples ? sctp::DeliveryRate::kMaxRecords * sizeof(sctp::SentState) : 0;
  return kRecordBytes * self.most_unacknowledged + 2 * window_of(own) + flushes + kOddBytes +
         (kStreams + 1) * kStreamBytes + self.most_payload / 16;
}

void HostileScenario::check_memory(int end) {
  End& self = at(end);
  const std::size_t buffers = pair_.held_buffer_bytes(end);
  const std::size_t payload = pair_.pool_bytes(end) + buffers;
  const std::size_t heap = pair_.heap_bytes(end);
  self.most_payload = std::max(self.most_payload, payload);
  self.most_unacknowledged =
      std::max(self.most_unacknowledged, pair_[end].sender().unacknowledged_chunks());
  const auto judge = [this](const char* what, std::size_t held, std::size_t bound, double& most) {
    most = std::max(most, static_cast<double>(held) / static_cast<double>(bound));
    if (held <= bound) return;
    fault("holds " + std::to_string(held) + " bytes of " + what + ", more than " +
          std::to_string(bound));
  };
  judge("payload", payload, payload_bound(end), coverage_.payload_share);
  judge("heap", heap, heap_bound(end), coverage_.heap_share);
  if (buffers > options(end).receive_window_bytes / 2) ++coverage_.full_windows;
}

}  // namespace millrace::test
