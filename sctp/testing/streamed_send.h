// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "sctp/testing/transfer.h"

namespace millrace::sctp::testing {

inline std::uint8_t byte_of(std::size_t message, std::size_t offset) {
  return static_cast<std::uint8_t>(message * 31 + offset * 7 + (offset >> 8));
}
inline Bytes part_of(std::size_t message, std::size_t offset, std::size_t bytes) {
  Bytes part(bytes);
  for (std::size_t i = 0; i < bytes; ++i) part[i] = byte_of(message, offset + i);
  return part;
}

using Messages = std::vector<Bytes>;

// Fragment is a DATA or I-DATA chunk as the peer got it.
struct Fragment {
  std::uint16_t stream;
  std::uint32_t number;  // FSN or TSN, either consecutive within a message.
  DataFlags flags;
  Bytes payload;
};

// StreamedSend is a sender, with DATA or with I-DATA, and a peer that keeps every chunk.
class StreamedSend : public ::testing::TestWithParam<bool> {
 protected:
  void SetUp() override { make(GetParam()); }
  void make(bool i_data, bool forward_tsn = true) {
    sender_.reset();
    chunks_.clear();
    cumulative_ = UnwrappedTsn::first(Tsn(999));
    DataSenderOptions options;
    options.initial_tsn = Tsn(1000);
    options.send_buffer_bytes = buffer_bytes_;
    options.stream_send_buffer_bytes = stream_buffer_bytes_;
    options.max_message_bytes = 1 << 30;
    options.rto = {.rto_initial = seconds(1), .rto_min = milliseconds(100)};
    sender_.emplace(options, pool_);
    sender_->establish(now_, kWindow, 256, forward_tsn, i_data);
  }
  // A part of message `message` of a stream, of which `offset` bytes were given.
  SendStatus part(std::size_t message, std::size_t offset, std::size_t bytes, bool last,
                  std::uint16_t stream = 1, const SendOptions& options = {}) {
    return sender_->send_part(now_, StreamId(stream), kPpidBinary, part_of(message, offset, bytes),
                              {.last = last}, options);
  }
  // What leaves at this instant; the peer gets it unless `lost` says otherwise.
  std::vector<Fragment> flush(const std::function<bool()>& lost = [] { return false; }) {
    std::vector<Fragment> sent;
    for (;;) {
      Bytes bytes(1160);
      PacketWriter writer(bytes, CommonHeader{});
      if (!sender_->append_chunks(now_, writer)) return sent;
      bytes.resize(writer.size());
      const bool arrives = !lost();
      ChunkReader reader(ByteSpan(bytes).subspan(CommonHeader::kBytes));
      while (const auto chunk = reader.next()) take(*chunk, arrives, sent);
    }
  }
  void acknowledge() {
    std::vector<GapAckBlock> gaps;
    while (chunks_.contains(cumulative_.next())) cumulative_ = cumulative_.next();
    for (auto at = chunks_.upper_bound(cumulative_); at != chunks_.end() && gaps.size() < 50;) {
      const auto first = static_cast<std::uint16_t>(at->first.distance_from(cumulative_));
      std::uint16_t end = first;
      for (++at; at != chunks_.end() && at->first.distance_from(cumulative_) == end + 1u; ++at)
        ++end;
      gaps.push_back({first, end});
    }
    const SackChunk chunk{cumulative_.wrap(), kWindow, gaps, {}};
    Bytes bytes(chunk.size());
    chunk.write(bytes);
    static_cast<void>(sender_->handle_sack(now_, *SackChunkView::parse(bytes)));
  }
  void round(const std::function<bool()>& lost = [] { return false; }) {
    now_ += milliseconds(10);
    acknowledge();
    if (now_ >= sender_->next_timeout()) static_cast<void>(sender_->handle_timeout(now_));
    flush(lost);
  }
  void drain(int rounds = 4000) {
    for (int i = 0; i < rounds && !sender_->all_acknowledged(); ++i) round();
    EXPECT_TRUE(sender_->all_acknowledged());
    EXPECT_EQ(pool_.used_bytes(), 0u);
  }
  // The whole messages of a stream, in the order of their TSNs.
  std::vector<Bytes> messages(std::uint16_t stream) const {
    std::vector<Bytes> whole;
    Bytes current;
    std::uint32_t next = 0;
    bool begun = false;
    for (const auto& [tsn, fragment] : chunks_) {
      if (fragment.stream != stream) continue;
      if (fragment.flags.beginning) {
        current.clear();
        begun = true;
      } else if (fragment.number != next) {
        begun = false;
      }
      next = fragment.number + 1;
      current.insert(current.end(), fragment.payload.begin(), fragment.payload.end());
      if (begun && fragment.flags.ending) whole.push_back(current);
      if (fragment.flags.ending) begun = false;
    }
    return whole;
  }

  static constexpr std::uint32_t kWindow = 256 << 10;

  std::size_t buffer_bytes_ = 512 << 10;  // Of the next `make`.
  std::size_t stream_buffer_bytes_ = 0;
  Time now_{seconds(1)};
  BlockPool pool_;
  std::optional<DataSender> sender_;
  UnwrappedTsn cumulative_;
  std::map<UnwrappedTsn, Fragment> chunks_;

 private:
  void take(const ChunkView& chunk, bool arrives, std::vector<Fragment>& sent) {
    const auto data = DataChunkView::parse(chunk.bytes);
    const auto i_data = IDataChunkView::parse(chunk.bytes);
    if (!data && !i_data) {
      // The two FORWARD TSNs begin alike.
      const Tsn to(load_be32(chunk.bytes.data() + 4));
      if (arrives) cumulative_ = std::max(cumulative_, UnwrappedTsn::nearest(cumulative_, to));
      return;
    }
    const ByteSpan payload = data ? data->payload : i_data->payload;
    const Fragment fragment{(data ? data->header.stream : i_data->header.stream).value(),
                            data ? data->header.tsn.value() : i_data->header.fsn,
                            data ? data->header.flags : i_data->header.flags,
                            Bytes(payload.begin(), payload.end())};
    sent.push_back(fragment);
    const Tsn tsn = data ? data->header.tsn : i_data->header.tsn;
    if (arrives) chunks_.try_emplace(UnwrappedTsn::nearest(cumulative_, tsn), fragment);
  }
};

}  // namespace millrace::sctp::testing
