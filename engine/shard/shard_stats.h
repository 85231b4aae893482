// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>

#include "crypto/dtls_counters.h"
#include "engine/shard/drop_reason.h"
#include "engine/shard/session.h"
#include "engine/shard/stats_board.h"
#include "io/io_stats.h"
#include "millrace/stats.h"
#include "sctp/stats.h"

namespace millrace::engine {

// SctpTotals sums what associations count, living and ended.
struct SctpTotals {
  std::array<std::uint64_t, sctp::kDropReasonCount> drops{};
  // Those of ShardStats from data_chunks_sent to association_restarts.
  std::array<std::uint64_t, 6> counts{};

  void add(const Session& session);
  // No total falls, though what `sum` has seen of a session that has ended since may be less.
  void raise_to(const SctpTotals& sum);
};

// DropTotals gathers the drops of every layer of one shard.
struct DropTotals {
  const DropCounters& shard;
  const crypto::DtlsCounters& dtls;
  const SctpTotals& sctp;
  const io::IoStats& io;
};

// flatten writes counters and drops as the words that `unflatten` reads.
StatsBoard::Words flatten(const ShardStats& stats, const DropTotals& drops);
ShardStats unflatten(const StatsBoard::Words& words);

}  // namespace millrace::engine
