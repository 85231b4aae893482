// SPDX-License-Identifier: Apache-2.0
#include "engine/shard/shard_stats.h"

#include <algorithm>
#include <string>
#include <string_view>

namespace millrace::engine {
namespace {

constexpr std::size_t kShardDrops = static_cast<std::size_t>(DropReason::kCount);
constexpr std::size_t kDtlsDrops = static_cast<std::size_t>(crypto::DropReason::kCount);
constexpr std::size_t kIoDrops = static_cast<std::size_t>(io::IoDrop::kCount);

// The counters in the order of the words.
constexpr std::array kFields = {
    &ShardStats::turns,
    &ShardStats::sessions,
    &ShardStats::sessions_opened,
    &ShardStats::sessions_closed,
    &ShardStats::channels,
    &ShardStats::datagrams_received,
    &ShardStats::datagrams_sent,
    &ShardStats::bytes_received,
    &ShardStats::bytes_sent,
    &ShardStats::messages_received,
    &ShardStats::messages_sent,
    &ShardStats::datagrams_forwarded,
    &ShardStats::payload_copied_in_order,
    &ShardStats::payload_copied_held,
    &ShardStats::records_per_seal_p50,
    &ShardStats::records_per_open_p50,
    &ShardStats::flights_in_turn,
};
// Those of SctpTotals::counts.
constexpr std::array kSctpFields = {
    &ShardStats::data_chunks_sent,     &ShardStats::data_chunks_received,
    &ShardStats::retransmitted_chunks, &ShardStats::fast_retransmits,
    &ShardStats::t3_expiries,          &ShardStats::association_restarts,
};
static_assert(kSctpFields.size() == std::tuple_size_v<decltype(SctpTotals::counts)>);
static_assert(kFields.size() + kSctpFields.size() + kShardDrops + kDtlsDrops +
                  sctp::kDropReasonCount + kIoDrops <=
              StatsBoard::kWords);

}  // namespace

void SctpTotals::add(const Session& session) {
  if (!session.sctp) return;
  const sctp::Stats stats = session.sctp->association.stats();
  for (std::size_t i = 0; i < drops.size(); ++i) drops[i] += stats.drops[i];
  const std::array counted = {stats.data_chunks_sent,     stats.data_chunks_received,
                              stats.retransmitted_chunks, stats.fast_retransmits,
                              stats.t3_expiries,          stats.restarts};
  static_assert(counted.size() == std::tuple_size_v<decltype(counts)>);
  for (std::size_t i = 0; i < counts.size(); ++i) counts[i] += counted[i];
}

void SctpTotals::raise_to(const SctpTotals& sum) {
  for (std::size_t i = 0; i < drops.size(); ++i) drops[i] = std::max(drops[i], sum.drops[i]);
  for (std::size_t i = 0; i < counts.size(); ++i) counts[i] = std::max(counts[i], sum.counts[i]);
}

StatsBoard::Words flatten(const ShardStats& stats, const DropTotals& drops) {
  StatsBoard::Words words{};
  std::size_t at = 0;
  for (const auto field : kFields) words[at++] = stats.*field;
  for (const std::uint64_t count : drops.sctp.counts) words[at++] = count;
  for (const std::uint64_t count : drops.shard.counts) words[at++] = count;
  for (const std::uint64_t count : drops.dtls.drops) words[at++] = count;
  for (const std::uint64_t count : drops.sctp.drops) words[at++] = count;
  for (const std::uint64_t count : drops.io.drops) words[at++] = count;
  return words;
}

ShardStats unflatten(const StatsBoard::Words& words) {
  ShardStats stats;
  std::size_t at = 0;
  for (const auto field : kFields) stats.*field = words[at++];
  for (const auto field : kSctpFields) stats.*field = words[at++];
  const auto add = [&](std::string_view layer, std::string_view reason) {
    const std::uint64_t count = words[at++];
    if (count != 0) stats.drops.emplace_back(std::string(layer) + "." + std::string(reason), count);
  };
  for (std::size_t i = 0; i < kShardDrops; ++i) add("shard", to_string(static_cast<DropReason>(i)));
  for (std::size_t i = 0; i < kDtlsDrops; ++i) {
    add("dtls", crypto::to_string(static_cast<crypto::DropReason>(i)));
  }
  for (std::size_t i = 0; i < sctp::kDropReasonCount; ++i) {
    add("sctp", sctp::to_string(static_cast<sctp::DropReason>(i)));
  }
  for (std::size_t i = 0; i < kIoDrops; ++i) add("io", io::drop_name(static_cast<io::IoDrop>(i)));
  return stats;
}

}  // namespace millrace::engine
