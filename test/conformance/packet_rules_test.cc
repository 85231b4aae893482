// SPDX-License-Identifier: Apache-2.0
// What holds for every packet that leaves an association, looked at from outside.
#include <gtest/gtest.h>

#include <map>
#include <vector>

#include "sctp/crc32c.h"
#include "sctp/packet/data_chunk.h"
#include "test/conformance/rules.h"

namespace millrace::sctp {
namespace {

using namespace test;

// PacketInspector sees all packets of one end in the order in which they left.
class PacketInspector {
 public:
  PacketInspector(std::size_t max_bytes, std::uint16_t streams)
      : max_bytes_(max_bytes), streams_(streams) {}

  // `peer_tag`: of the peer's INIT or INIT-ACK, once it has said so.
  void inspect(ByteSpan packet, std::optional<VerificationTag> peer_tag) {
    EXPECT_LE(packet.size(), max_bytes_);
    EXPECT_EQ(packet.size() % 4, 0u);
    ChunkReader reader(packet.subspan(CommonHeader::kBytes));
    std::vector<ChunkView> chunks;
    while (const auto chunk = reader.next()) chunks.push_back(*chunk);
    EXPECT_FALSE(reader.malformed()) << "no partial chunk";
    ASSERT_FALSE(chunks.empty());
    inspect_header(packet, chunks[0], peer_tag);
    bool data_seen = false;
    std::optional<Tsn> last;
    for (const ChunkView& chunk : chunks) {
      if (chunk.type == ChunkType::kInit || chunk.type == ChunkType::kInitAck ||
          chunk.type == ChunkType::kShutdownComplete) {
        EXPECT_EQ(chunks.size(), 1u) << "stands alone";
      }
      const auto data = DataChunkView::parse(chunk.bytes);
      EXPECT_TRUE(data || !data_seen) << "control chunks come first";
      if (!data) continue;
      data_seen = true;
      EXPECT_TRUE(!last || last->precedes(data->header.tsn)) << "TSNs ascend";
      last = data->header.tsn;
      inspect_data(*data);
    }
  }
  std::size_t chunks() const { return sent_.size(); }
  std::size_t repeated() const { return repeated_; }

 private:
  struct Sent {
    DataChunkHeader header;
    Bytes payload;
  };

  void inspect_header(ByteSpan packet, const ChunkView& first,
                      std::optional<VerificationTag> peer_tag) {
    const auto header = CommonHeader::parse(packet);
    const bool may_be_zero = first.type != ChunkType::kInit && first.type != ChunkType::kCookieEcho;
    const bool reflected = first.type == ChunkType::kShutdownComplete && first.flags == 1;
    EXPECT_TRUE(header->checksum == packet_checksum(packet) ||
                (may_be_zero && header->checksum == 0));
    if (first.type == ChunkType::kInit) {
      EXPECT_TRUE(header->verification_tag.is_zero());
    } else if (!reflected) {
      EXPECT_EQ(header->verification_tag, peer_tag);
    }
  }

  void inspect_data(const DataChunkView& data) {
    const DataChunkHeader& header = data.header;
    EXPECT_FALSE(data.payload.empty());
    EXPECT_LT(header.stream.value(), streams_);
    const auto known = sent_.find(header.tsn.value());
    if (known != sent_.end()) {
      ++repeated_;
      EXPECT_EQ(known->second.header.stream, header.stream);
      EXPECT_EQ(known->second.header.ssn, header.ssn);
      EXPECT_EQ(known->second.header.flags.beginning, header.flags.beginning);
      EXPECT_EQ(known->second.header.flags.ending, header.flags.ending);
      EXPECT_TRUE(std::ranges::equal(known->second.payload, data.payload));
      return;
    }
    if (!sent_.empty()) {
      EXPECT_EQ(header.tsn, newest_.tsn.next()) << "in sequence";
      EXPECT_EQ(header.flags.beginning, newest_.flags.ending) << "B behind E and nowhere else";
    }
    if (!header.flags.beginning) {
      EXPECT_EQ(header.stream, newest_.stream);
      EXPECT_EQ(header.ssn, newest_.ssn);
      EXPECT_EQ(header.ppid, newest_.ppid);
      EXPECT_EQ(header.flags.unordered, newest_.flags.unordered);
    } else if (!header.flags.unordered) {
      EXPECT_EQ(header.ssn, next_ssn_[header.stream.value()]);
      next_ssn_[header.stream.value()] = header.ssn.next();
    }
    newest_ = header;
    sent_.emplace(header.tsn.value(), Sent{header, {data.payload.begin(), data.payload.end()}});
  }

  std::size_t max_bytes_;
  std::uint16_t streams_;
  DataChunkHeader newest_;
  std::map<std::uint32_t, Sent> sent_;
  std::map<std::uint16_t, Ssn> next_ssn_;
  std::size_t repeated_ = 0;
};

std::optional<VerificationTag> tag_offered_in(ByteSpan packet) {
  if (const auto init = InitChunk::parse(chunks_of(packet)[0].bytes)) return init->initiate_tag;
  if (const auto ack = InitAckChunk::parse(chunks_of(packet)[0].bytes)) return ack->initiate_tag;
  return std::nullopt;
}

// RFC 9260 §5.1, §5.3.1, §6, §6.2, §6.5, §6.8, §6.9, §6.10, §7.3, §8.5.
// RFC 8899 §5.
// RFC 8260 §2.2.1.
TEST(PacketRules, EveryPacketOfABusyRunObeysTheRules) {
  Options options;
  options.heartbeat_interval = milliseconds(50);
  options.outgoing_streams = 7;
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    options.max_packet_bytes = seed % 2 == 0 ? 1160 : 600;
    AssociationPair pair(options, options, {.loss = 0.05, .duplicate = 0.02, .reorder = 0.1}, seed);
    std::array<PacketInspector, 2> inspectors{PacketInspector(options.max_packet_bytes, 7),
                                              PacketInspector(options.max_packet_bytes, 7)};
    std::array<std::optional<VerificationTag>, 2> tags;
    pair.filter = [&](int end, ByteSpan packet) {
      const auto at = static_cast<std::size_t>(end);
      if (const auto offered = tag_offered_in(packet)) {
        EXPECT_TRUE(!tags[at] || tags[at] == offered) << "an end has one tag";
        tags[at] = offered;
      }
      inspectors[at].inspect(packet, tags[1 - at]);
      return true;
    };
    ASSERT_TRUE(pair.connect_both());
    SeededRng rng(seed);
    for (int i = 0; i < 300; ++i) {
      const int end = static_cast<int>(rng.below(2));
      const SendOptions how{.unordered = rng.below(3) == 0};
      const Bytes payload(1 + rng.below(rng.below(4) == 0 ? 9000 : 300),
                          static_cast<std::uint8_t>(i));
      static_cast<void>(pair[end].send(pair.now(),
                                       StreamId(static_cast<std::uint16_t>(rng.below(7))),
                                       kPpidBinary, payload, how));
      pair.drain();
      pair.run_for(milliseconds(static_cast<int>(rng.below(8))));
    }
    pair.run_for(seconds(5));
    pair.a().shutdown(pair.now());
    pair.drain();
    EXPECT_TRUE(pair.run_until([&] { return pair.a().is_closed() && pair.b().is_closed(); }));
    for (const PacketInspector& inspector : inspectors) {
      EXPECT_GT(inspector.chunks(), 100u) << seed;
      EXPECT_GT(inspector.repeated(), 0u) << seed;
    }
    EXPECT_GT(pair.a().stats().heartbeats_sent, 0u);
  }
}

// RFC 8260 §2.2.1, §2.3.1.
TEST(PacketRules, WithInterleavingAllDataIsIData) {
  Options options;
  options.extensions.i_data = true;
  AssociationPair pair(options, options, {.loss = 0.05});
  ASSERT_TRUE(pair.connect_both());
  for (std::uint16_t i = 0; i < 60; ++i) {
    SendOptions how;
    if (i % 2 == 0) how.max_retransmits = 0;
    ASSERT_EQ(pair.a().send(pair.now(), StreamId(i % 5), kPpidBinary, Bytes(3000, 1), how),
              SendStatus::kOk);
    pair.drain();
    pair.run_for(milliseconds(5));
  }
  pair.run_for(seconds(2));
  EXPECT_GT(count_chunks(pair.sent(kA), ChunkType::kIData), 100u);
  EXPECT_GT(count_chunks(pair.sent(kA), ChunkType::kIForwardTsn), 0u);
  EXPECT_EQ(count_chunks(pair.sent(kA), ChunkType::kData), 0u);
  EXPECT_EQ(count_chunks(pair.sent(kA), ChunkType::kForwardTsn), 0u);
}

}  // namespace
}  // namespace millrace::sctp
