// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/time.h"
#include "sctp/options.h"

namespace millrace::sim {

// Where a run begins; all times of a scenario count from here.
inline constexpr Time kOrigin{seconds(1000)};

// What a packet of SCTP costs on the way besides itself: IPv4, UDP, a DTLS 1.2 record with an
// explicit nonce and AES-GCM's tag. A rate counts all of it, from the IP header on.
inline constexpr std::size_t kRecordBytes = 13 + 8 + 16;
inline constexpr std::size_t kIpHeaderBytes = 20;
inline constexpr std::size_t kWireOverheadBytes = kIpHeaderBytes + 8 + kRecordBytes;
// SCTP's common header and the header of one DATA chunk.
inline constexpr std::size_t kChunkOverheadBytes = 12 + 16;

// payload_share is what full packets of `mtu_bytes` carry of an application's bytes: of 1500,
// 1404, since a chunk is padded to a multiple of 4; that is 0.936 of the link's rate, and the
// payload capacity that shares of goodput refer to.
constexpr double payload_share(std::size_t mtu_bytes) {
  const std::size_t sctp = (mtu_bytes - kWireOverheadBytes) / 4 * 4;
  return static_cast<double>(sctp - kChunkOverheadBytes) / static_cast<double>(mtu_bytes);
}

// LinkOptions is one direction of the path. Shares are in [0, 1].
struct LinkOptions {
  double bits_per_second = 0;  // 0: no bottleneck.
  Duration delay = milliseconds(10);
  std::size_t queue_bytes = 0;  // Drop-tail, in front of the bottleneck; 0: one BDP.
  double loss = 0;              // Random, behind the bottleneck.
  double reorder = 0;           // Share of packets delayed further,
  Duration reorder_by{};        // by up to this.
  double duplicate = 0;
  double corrupt = 0;  // One bit flipped: DTLS drops it.
  std::size_t mtu_bytes = 1500;
};

// Outage is a time in which nothing gets through, either way. What waits in the queue waits on.
struct Outage {
  Duration from{};
  Duration length{};
};

// Change alters the bottleneck's rate, or the MTU, of both directions at a time.
struct Change {
  Duration at{};
  std::optional<double> bits_per_second;
  std::optional<std::size_t> mtu_bytes;
};

// TrafficOptions is what one application sends on one stream.
struct TrafficOptions {
  std::size_t message_bytes = 16384;  // At least 16: a message bears its time and number.
  double messages_per_second = 0;     // 0: as many as are taken.
  std::uint64_t count = std::numeric_limits<std::uint64_t>::max();
  Duration start{};
  std::uint16_t stream = 0;
  std::uint16_t priority = 256;  // The stream's weight or rank: see sctp::StreamScheduling.
  bool unordered = false;
  std::optional<std::uint32_t> max_retransmits;
  std::optional<Duration> max_lifetime;
  bool from_server = false;  // Direction: the default is client to server.
  // Bounds of the one-way latency; see Bounds.
  std::optional<Duration> max_p50;
  std::optional<Duration> max_p99;
  std::optional<Duration> max_latency;
};

// FlowOptions is one association over the path and what it carries.
struct FlowOptions {
  sctp::Options association;
  Duration start{};
  Duration extra_delay{};  // Each way, in addition to the path's.
  std::vector<TrafficOptions> traffic;
  // The receiving application does not read in this time.
  Outage not_reading;
};

// Bounds is what a run is judged by. Nothing that is not set is judged.
struct Bounds {
  std::optional<double> min_share;        // Of the payload capacity, all flows together.
  std::optional<double> min_mbps;         // Of payload, all flows together.
  std::optional<double> min_of_mathis;    // Of Mathis's formula, each flow.
  std::optional<double> min_of_response;  // Of the larger of Mathis's and RFC 9438's.
  std::optional<double> max_of_mathis;
  std::optional<double> min_of_clean;       // Of the same without loss, reordering and so on.
  std::optional<double> min_fairness;       // The slowest flow's goodput over the fastest's.
  std::optional<double> max_rtt_p95;        // In base round trips.
  std::optional<double> max_retransmitted;  // Share of the chunks.
  std::optional<Duration> max_recovery;     // After the last outage: see FlowReport.
  std::optional<std::uint64_t> max_socket_drops;
};

// Scenario is everything that a run depends on but the seed.
struct Scenario {
  std::string name;
  Duration length = seconds(30);
  Duration measure_from{};  // Goodput, latency and round trips count from here on.
  LinkOptions up;           // Client to server.
  LinkOptions down;
  std::vector<FlowOptions> flows;
  std::vector<Outage> outages;
  std::vector<Change> changes;
  // A driver's turns begin at multiples of this, or some microseconds later (see flow.cc): the
  // arrivals between them are one burst.
  Duration turn = microseconds(50);
  // What a receiving host's socket holds between two turns, 0: anything.
  std::size_t socket_bytes = 0;
  // How often a sample of each flow is kept, zero: never.
  Duration sample_every{};
  Bounds bounds;

  // Of both directions, from beginning to end.
  std::size_t largest_mtu() const {
    std::size_t most = std::max(up.mtu_bytes, down.mtu_bytes);
    for (const Change& change : changes) most = std::max(most, change.mtu_bytes.value_or(0));
    return most;
  }
  Duration base_rtt() const { return up.delay + down.delay; }
  double payload_capacity() const {  // Bits a second, client to server.
    return up.bits_per_second * payload_share(up.mtu_bytes);
  }
};

// one_bdp is the bandwidth-delay product of the link on a path of `rtt`, at least ten packets.
std::size_t one_bdp(const LinkOptions& link, Duration rtt);

}  // namespace millrace::sim
