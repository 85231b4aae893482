// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "sctp/testing/transfer.h"
#include "sctp/tx/data_sender.h"

namespace millrace::sctp::testing {

using Tsns = std::vector<std::uint32_t>;

inline constexpr std::uint32_t kFirst = 1000;
inline constexpr Duration kPathRtt = milliseconds(20);

// SackBySackTest plays the peer of a DataSender: it sees the TSNs that leave, a packet of 1160
// bytes at a time, and says when which SACK comes.
class SackBySackTest : public ::testing::Test {
 protected:
  void SetUp() override {
    DataSenderOptions options;
    options.initial_tsn = Tsn(kFirst);
    options.rto = {.rto_initial = seconds(1), .rto_min = milliseconds(100)};
    sender_.emplace(options, pool_);
    sender_->establish(now_, 1 << 20, 16, true);
  }
  void send(int messages, const SendOptions& options = {}, std::size_t bytes = 1100) {
    for (int i = 0; i < messages; ++i) {
      ASSERT_EQ(sender_->send(now_, StreamId(1), kPpidBinary, Bytes(bytes, 7), options),
                SendStatus::kOk);
    }
  }
  Tsns flush() {
    Tsns tsns;
    for (;;) {
      Bytes bytes(1160);
      PacketWriter writer(bytes, CommonHeader{});
      if (!sender_->append_chunks(now_, writer)) return tsns;
      ChunkReader reader(
          {bytes.data() + CommonHeader::kBytes, writer.size() - CommonHeader::kBytes});
      while (const auto chunk = reader.next()) {
        if (const auto data = DataChunkView::parse(chunk->bytes)) {
          tsns.push_back(data->header.tsn.value());
        }
      }
    }
  }
  void sack(std::uint32_t cumulative, std::vector<GapAckBlock> gaps = {}, const Tsns& again = {}) {
    std::vector<Tsn> duplicates;
    for (const std::uint32_t tsn : again) duplicates.emplace_back(tsn);
    const SackChunk chunk{Tsn(cumulative), a_rwnd_, gaps, duplicates};
    Bytes bytes(chunk.size());
    chunk.write(bytes);
    ASSERT_EQ(sender_->handle_sack(now_, *SackChunkView::parse(bytes)).status,
              SackStatus::kProcessed);
  }
  // Runs timers up to `until`; what leaves meanwhile.
  Tsns run(Time until) {
    Tsns sent;
    while (sender_->next_timeout() <= until) {
      now_ = std::max(now_, sender_->next_timeout());
      static_cast<void>(sender_->handle_timeout(now_));
      for (const std::uint32_t tsn : flush()) sent.push_back(tsn);
    }
    now_ = until;
    return sent;
  }
  // The first round trip, of one packet.
  void measure() {
    send(1);
    flush();
    now_ += kPathRtt;
    sack(kFirst);
  }
  // All but the first of so many packets arrive; a SACK shows three of them.
  void lose_first_of(int packets) {
    measure();
    send(packets);
    flush();
    now_ += kPathRtt;
    sack(kFirst, {{2, 4}});
  }
  SenderStats stats() const { return sender_->stats(); }

  Time now_{seconds(1)};
  std::uint32_t a_rwnd_ = 1 << 20;  // As SACKs say.
  BlockPool pool_;
  std::optional<DataSender> sender_;
};

}  // namespace millrace::sctp::testing
