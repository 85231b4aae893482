// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace millrace {

// ShardStats are one shard's counters since start; gauges say so.
struct ShardStats {
  std::uint64_t turns = 0;
  std::uint64_t sessions = 0;  // Gauge: owned now.
  std::uint64_t sessions_opened = 0;
  std::uint64_t sessions_closed = 0;
  std::uint64_t channels = 0;  // Gauge: open now.
  std::uint64_t datagrams_received = 0;
  std::uint64_t datagrams_sent = 0;
  std::uint64_t bytes_received = 0;
  std::uint64_t bytes_sent = 0;
  std::uint64_t messages_received = 0;
  std::uint64_t messages_sent = 0;
  std::uint64_t datagrams_forwarded = 0;      // Handed to the shard that owns the session.
  std::uint64_t payload_copied_in_order = 0;  // Bytes; 0 by contract.
  std::uint64_t payload_copied_held = 0;      // Bytes copied out to free a large buffer.
  // Gauges: half the calls that seal or open records were given this many or fewer (256: at
  // least); 0 before the first.
  std::uint64_t records_per_seal_p50 = 0;
  std::uint64_t records_per_open_p50 = 0;
  // Handshake flights whose public-key work was done within a turn, there being no traffic
  // to hold up, or no worker; the others went to a worker.
  std::uint64_t flights_in_turn = 0;
  // Of associations, living and ended; with thousands of sessions seconds old.
  std::uint64_t data_chunks_sent = 0;  // Retransmissions included.
  std::uint64_t data_chunks_received = 0;
  std::uint64_t retransmitted_chunks = 0;
  std::uint64_t fast_retransmits = 0;
  std::uint64_t t3_expiries = 0;
  std::uint64_t association_restarts = 0;
  // Dropped datagrams, records and chunks by reason; only reasons that occurred.
  std::vector<std::pair<std::string, std::uint64_t>> drops;
};

// EngineStats is a snapshot of every shard. Counters of one shard are of one moment, at
// most a tenth of a second old.
struct EngineStats {
  std::uint64_t sessions_pending = 0;  // Gauge: signalled, not yet claimed by a shard.
  std::vector<ShardStats> shards;
};

}  // namespace millrace
