// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "engine/base/block_pool.h"
#include "engine/base/rng.h"
#include "sctp/association.h"
#include "test/sim/inbox.h"
#include "test/sim/link.h"
#include "test/sim/packet_slots.h"
#include "test/sim/scenario.h"
#include "test/sim/traffic.h"
#include "test/support/test_mac.h"

namespace millrace::sim {

// FlowSample is a flow's state at a moment, for curves.
struct FlowSample {
  Duration at{};
  std::uint64_t delivered_bytes = 0;  // So far.
  std::size_t cwnd = 0;
  std::size_t ssthresh = 0;
  std::size_t in_flight = 0;
  Duration srtt{};
  std::size_t queue_bytes = 0;
  std::uint64_t retransmitted = 0;
  std::uint64_t t3_expiries = 0;
};

// FlowReport is what one association did.
struct FlowReport {
  double goodput_bps = 0;  // Payload, client to server, from measure_from to the end.
  double server_goodput_bps = 0;
  sctp::Stats client;
  sctp::Stats server;
  std::optional<Duration> connected_after;
  sctp::CloseReason closed = sctp::CloseReason::kNone;
  std::size_t mss_bytes = 0;          // Payload of a full packet of the client's, at the end.
  std::size_t peak_held_bytes = 0;    // By the messages of one end.
  std::size_t peak_window_bytes = 0;  // That one end has offered the other.
  // After the last outage's end: when the first message came through, and when all that had
  // been due by its end were there.
  std::optional<Duration> first_delivery;
  std::optional<Duration> caught_up;
  std::uint64_t socket_drops = 0;
  Histogram rtt;  // Base and both queues, as each packet of the client's met them.
  std::vector<TrafficReport> traffic;
  std::vector<FlowSample> samples;
};

// Flow is an association over the shared links: two ends, each driven as a shard would drive
// it, in turns. Whoever runs it calls `turn` for the end whose `wake` comes first.
class Flow {
 public:
  static constexpr int kClient = 0;
  static constexpr int kServer = 1;

  // All of them outlive the flow.
  Flow(const FlowOptions& options, const Scenario& scenario, std::uint64_t seed, PacketSlots& slots,
       Link& up, Link& down);

  Time wake(int end) const { return ends_[index(end)].wake; }
  void turn(int end, Time now);
  // The rate of the link towards `end` changed; see Inbox::rescale.
  void rescale(int end, Time now, double factor);
  void sample(Time now);
  FlowReport report(Time now) const;
  const sctp::Association& association(int end) const { return ends_[index(end)].association; }

 private:
  struct End {
    End(const sctp::Options& options, Rng& rng, const Mac& mac, BlockPool& pool, Time start)
        : association(options, rng, mac, pool), wake(start) {}
    sctp::Association association;
    Inbox inbox;
    Time wake;
    Time last_turn{};
    int turns_at_once = 0;
    bool begun = false;
    bool blocked = false;
  };
  static std::size_t index(int end) { return static_cast<std::size_t>(end); }

  void take_packets(int end, Time now);
  void take_events(int end, Time now);
  void receive(int end, Time now, const sctp::MessageView& message);
  void send_messages(int end, Time now);
  void send_packets(int end, Time now);
  void carry(int end, Time now, BufferRef buffer, std::size_t bytes);
  void deliver(int to, Time at, Duration late, const BufferRef& buffer, std::size_t bytes);
  void arm(int end, Time now);
  Time next_event(int end, Time now) const;
  // The first turn of `end` that does not begin before `at`.
  Time turn_from(int end, Time at) const;
  bool is_reading(int end, Time now) const;
  void note_recovery(Time now);
  Link& link_from(int end) { return end == kClient ? up_ : down_; }

  const FlowOptions options_;
  const Scenario& scenario_;
  const Time start_;
  const Duration jitter_;  // A turn begins later than due by less than this.
  const Duration turn_;
  const std::uint64_t lots_;  // Decide when turns begin.
  const Time measure_from_;
  PacketSlots& slots_;
  Link& up_;
  Link& down_;
  test::TestMac mac_;
  SeededRng rng_;
  std::array<BlockPool, 2> pools_;
  std::array<End, 2> ends_;
  std::vector<Traffic> traffic_;
  std::optional<Time> outage_end_;  // The last outage's.
  FlowReport report_;
};

}  // namespace millrace::sim
