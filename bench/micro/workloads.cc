// SPDX-License-Identifier: Apache-2.0
#include "bench/micro/workloads.h"

#include "engine/base/check.h"

namespace millrace::bench {

std::uint64_t exchange_messages(AssociationLink& link, std::size_t message_bytes, std::uint64_t n) {
  const std::uint64_t before = link.messages();
  while (link.messages() - before < n) {
    link.fill(message_bytes);
    link.exchange();
  }
  return link.messages() - before;
}

namespace {

constexpr std::size_t kSackMessage = 100;
constexpr std::uint32_t kFirstTsn = 1000;

std::vector<std::uint8_t> sack_with_gaps(std::size_t gaps) {
  std::vector<sctp::GapAckBlock> blocks;
  for (std::size_t i = 0; i < gaps; ++i) {
    const auto at = static_cast<std::uint16_t>(2 + 2 * i);
    blocks.push_back({at, at});
  }
  const sctp::SackChunk sack{sctp::Tsn(kFirstTsn), 8u << 20, blocks, {}};
  std::vector<std::uint8_t> bytes(sack.size());
  sack.write(bytes);
  return bytes;
}

}  // namespace

SackWork::SackWork(std::size_t gaps) : gaps_(gaps), chunk_(sack_with_gaps(gaps)), scratch_(1160) {}

void SackWork::prepare() {
  sender_.reset();
  pool_ = std::make_unique<BlockPool>();
  sctp::DataSenderOptions options;
  options.initial_tsn = sctp::Tsn(kFirstTsn);
  // Everything may leave at once.
  options.congestion.initial_window_packets = 4096;
  options.min_burst_bytes = std::size_t{64} << 20;
  sender_ = std::make_unique<sctp::DataSender>(options, *pool_);
  sender_->establish(now_, std::size_t{8} << 20, 16, true);
  const std::vector<std::uint8_t> message(kSackMessage);
  for (std::size_t i = 0; i < 2 * gaps_ + 2; ++i) {
    CHECK(sender_->send(now_, sctp::StreamId(1), sctp::Ppid(53), message, {}) ==
          sctp::SendStatus::kOk);
  }
  for (bool more = true; more;) {
    sctp::PacketWriter packet(scratch_, sctp::CommonHeader{});
    more = sender_->append_chunks(now_, packet);
  }
  CHECK(sender_->total_buffered_amount() == 0);
}

void SackWork::process() {
  const auto sack = sctp::SackChunkView::parse(chunk_);
  CHECK(sack && sender_->handle_sack(now_ + milliseconds(1), *sack).status ==
                    sctp::SackOutcome::Status::kProcessed);
}

std::uint64_t SackWork::run(int times) {
  if (!sender_) prepare();
  for (int i = 0; i < times; ++i) process();
  return static_cast<std::uint64_t>(times);
}

TimerWork::TimerWork(std::size_t timers) : wheel_(timers, now_) {
  for (std::uint32_t id = 0; id < timers; ++id) wheel_.schedule(id, now_ + spread(id));
}

std::uint64_t TimerWork::rearm(int times) {
  for (int i = 0; i < times; ++i) {
    now_ += microseconds(10);
    for (std::uint32_t id = 0; id < wheel_.capacity(); ++id) wheel_.schedule(id, now_ + spread(id));
  }
  return static_cast<std::uint64_t>(times) * wheel_.capacity();
}

std::uint64_t TimerWork::cancel_and_arm(int times) {
  for (int i = 0; i < times; ++i) {
    now_ += microseconds(10);
    for (std::uint32_t id = 0; id < wheel_.capacity(); ++id) {
      wheel_.cancel(id);
      wheel_.schedule(id, now_ + spread(id));
    }
  }
  return static_cast<std::uint64_t>(times) * wheel_.capacity();
}

std::uint64_t TimerWork::expire(int times) {
  const std::uint64_t goal = static_cast<std::uint64_t>(times) * wheel_.capacity();
  std::uint64_t fired = 0;
  while (fired < goal) {
    now_ += microseconds(100);
    wheel_.advance(now_, wheel_.capacity(), [&](TimerWheel::Id id) {
      ++fired;
      wheel_.schedule(id, now_ + spread(id));
    });
  }
  return fired;
}

TableWork::TableWork(std::size_t sessions) {
  engine::TableOptions options;
  options.max_sessions = 16384;
  options.key = SipKey{1, 2};
  table_ = std::make_unique<engine::AssociationTable>(options);
  member_ = std::make_unique<engine::TableMember>(*table_);
  for (std::uint32_t i = 0; i < sessions; ++i) {
    present_.emplace_back(address(i));
    absent_.emplace_back(address(i + 0x100'0000));
    const engine::TableResult made = member_->create(nullptr, nullptr);
    CHECK(made.ok() && member_->add_address(made.entry, present_.back()).ok());
    CHECK(member_->claim(made.entry, 0, i).status == engine::ClaimStatus::kWon);
  }
}

Address TableWork::address(std::uint32_t n) {
  const std::uint32_t mixed = n * 2654435761u;
  return {
      IpAddress::v4(10, static_cast<std::uint8_t>(mixed >> 8),
                    static_cast<std::uint8_t>(mixed >> 16), static_cast<std::uint8_t>(mixed >> 24)),
      static_cast<std::uint16_t>(1024 + n % 60'000)};
}

std::uint64_t TableWork::find(int rounds) {
  std::uint64_t found = 0;
  for (int i = 0; i < rounds; ++i) {
    for (const engine::AddressKey& key : present_) found += member_->find(key) ? 1u : 0u;
  }
  CHECK(found == static_cast<std::uint64_t>(rounds) * present_.size());
  return found;
}

}  // namespace millrace::bench
