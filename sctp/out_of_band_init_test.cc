// SPDX-License-Identifier: Apache-2.0
// draft-hancke-tsvwg-snap: INIT by signalling.
#include "sctp/out_of_band_init.h"

#include <gtest/gtest.h>

#include "sctp/testing/connected_pair_fixture.h"

namespace millrace::sctp {
namespace {

// The draft's example: tag 0x896cdd1d, a_rwnd 5 MiB, 65535 streams, TSN 0xe079651d,
// FORWARD-TSN and RE-CONFIG, the last parameter without padding.
const Bytes kDraftExample{0x01, 0x00, 0x00, 0x1e, 0x89, 0x6c, 0xdd, 0x1d, 0x00, 0x50,
                          0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xe0, 0x79, 0x65, 0x1d,
                          0xc0, 0x00, 0x00, 0x04, 0x80, 0x08, 0x00, 0x06, 0x82, 0xc0};

Bytes with(std::size_t at, std::uint8_t value) {
  Bytes bytes = kDraftExample;
  bytes[at] = value;
  return bytes;
}

TEST(PeerInit, ReadsTheExampleOfTheDraft) {
  const auto init = PeerInit::parse(kDraftExample);
  ASSERT_TRUE(init);
  EXPECT_EQ(init->fields.initiate_tag, VerificationTag(0x896cdd1d));
  EXPECT_EQ(init->fields.a_rwnd, 0x00500000u);
  EXPECT_EQ(init->fields.outbound_streams, 65535);
  EXPECT_EQ(init->fields.initial_tsn, Tsn(0xe079651d));
  EXPECT_TRUE(init->extensions.forward_tsn);
  EXPECT_TRUE(init->extensions.reconfig);
  EXPECT_FALSE(init->extensions.zero_checksum_edmid);
  EXPECT_TRUE(init->fields.parameters.empty()) << "nothing points into the chunk";
}

TEST(PeerInit, TakesTheLastParametersPaddingToo) {
  Bytes padded = kDraftExample;
  padded.resize(32);
  EXPECT_TRUE(PeerInit::parse(padded));
}

TEST(PeerInit, RefusesEveryTruncationAndWhatFollows) {
  for (std::size_t n = 0; n < kDraftExample.size(); ++n) {
    EXPECT_FALSE(PeerInit::parse(ByteSpan(kDraftExample).first(n))) << n;
  }
  Bytes two = kDraftExample;
  two.resize(32);
  two.insert(two.end(), {0x0b, 0x00, 0x00, 0x04});
  EXPECT_FALSE(PeerInit::parse(two));
}

// RFC 9260 §3.3.2
TEST(PeerInit, RefusesWhatAnInitByPacketWouldBeRefusedFor) {
  Bytes no_tag = kDraftExample;
  std::fill_n(no_tag.begin() + 4, 4, std::uint8_t{0});
  EXPECT_FALSE(PeerInit::parse(no_tag));
  EXPECT_FALSE(PeerInit::parse(with(0, 2)));  // An INIT-ACK.
  Bytes no_streams = kDraftExample;
  no_streams[12] = no_streams[13] = 0;
  EXPECT_FALSE(PeerInit::parse(no_streams));
  EXPECT_FALSE(PeerInit::parse(with(9, 0)));      // A window of 0.
  EXPECT_FALSE(PeerInit::parse(with(23, 0xff)));  // A parameter beyond the chunk.
  Bytes host = with(24, 0x00);
  host[25] = 0x0b;  // Host Name Address.
  EXPECT_FALSE(PeerInit::parse(host));
}

TEST(OutOfBandInit, IsWhatAnInitByPacketWouldHaveSaid) {
  AssociationPair pair;
  pair.a().connect(pair.now());
  pair.drain();
  const Bytes& packet = pair.sent(kA).front();
  const auto sent = InitChunk::parse(ByteSpan(packet).subspan(CommonHeader::kBytes));
  ASSERT_TRUE(sent);
  const Bytes chunk = make_init(Options(), {sent->initiate_tag, sent->initial_tsn});
  EXPECT_EQ(chunk, Bytes(packet.begin() + CommonHeader::kBytes, packet.end()));
}

TEST(OutOfBandInit, EstablishesBothEndsWithoutAPacket) {
  AssociationPair pair;
  pair.connect_out_of_band();
  pair.drain();
  EXPECT_TRUE(pair.a().is_connected());
  EXPECT_TRUE(pair.b().is_connected());
  EXPECT_EQ(pair.count(kA, EventKind::kConnected), 1u);
  EXPECT_EQ(pair.count(kB, EventKind::kConnected), 1u);
  EXPECT_TRUE(pair.sent(kA).empty());
  EXPECT_TRUE(pair.sent(kB).empty());
}

TEST(OutOfBandInit, CarriesMessagesResetsAndShutdownAsAnyOther) {
  AssociationPair pair;
  pair.connect_out_of_band();
  const Bytes payload(5000, 7);
  ASSERT_EQ(pair.a().send(pair.now(), StreamId(1), kPpidBinary, payload), SendStatus::kOk);
  ASSERT_EQ(pair.b().send(pair.now(), StreamId(1), kPpidBinary, payload), SendStatus::kOk);
  pair.drain();
  pair.run_for(seconds(1));
  EXPECT_EQ(pair.count(kA, EventKind::kMessage), 1u);
  EXPECT_EQ(pair.count(kB, EventKind::kMessage), 1u);
  const StreamId stream(1);
  pair.a().reset_streams(pair.now(), std::span(&stream, 1));
  pair.drain();
  pair.run_for(seconds(1));
  EXPECT_EQ(pair.count(kA, EventKind::kStreamResetDone), 1u);
  pair.a().shutdown(pair.now());
  pair.drain();
  pair.run_for(seconds(1));
  EXPECT_TRUE(pair.a().is_closed());
  EXPECT_TRUE(pair.b().is_closed());
}

TEST(OutOfBandInit, NegotiatesWhatBothHaveOffered) {
  Options crc;
  crc.extensions.zero_checksum = false;
  crc.outgoing_streams = 10;
  AssociationPair pair;
  pair.connect_out_of_band(crc, {});
  pair.drain();
  EXPECT_EQ(pair.last(kB, EventKind::kConnected)->event.incoming_streams, 10);
  const Bytes payload{1};
  ASSERT_EQ(pair.b().send(pair.now(), StreamId(1), kPpidBinary, payload), SendStatus::kOk);
  pair.drain();
  const Bytes data = test::last_with(pair.sent(kB), ChunkType::kData);
  EXPECT_NE(CommonHeader::parse(data)->checksum, 0u);
}

// RFC 8260 §2.2.1: an end lists I-DATA only where its options say so.
TEST(OutOfBandInit, IDataIsInUseOnlyWhereBothEndsListIt) {
  for (const bool at_a : {true, false}) {
    for (const bool at_b : {true, false}) {
      Options a;
      Options b;
      a.extensions.i_data = at_a;
      b.extensions.i_data = at_b;
      AssociationPair pair;
      pair.connect_out_of_band(a, b);
      for (const int end : {kA, kB}) {
        ASSERT_EQ(pair[end].send(pair.now(), StreamId(1), kPpidBinary, Bytes(5000, 7)),
                  SendStatus::kOk);
      }
      pair.drain();
      pair.run_for(seconds(1));
      for (const int end : {kA, kB}) {
        EXPECT_EQ(test::count_chunks(pair.sent(end), ChunkType::kIData) > 0, at_a && at_b);
        EXPECT_EQ(test::count_chunks(pair.sent(end), ChunkType::kData) > 0, !at_a || !at_b);
        EXPECT_EQ(pair.count(end, EventKind::kMessage), 1u) << at_a << at_b;
      }
    }
  }
}

TEST(OutOfBandInit, FallsBackToPacketsUnderTheSignalledTag) {
  SeededRng rng(3);
  test::TestMac mac;
  BlockPool pool;
  const LocalInit local{VerificationTag(0xabcdef01), Tsn(77)};
  Association association(Options(), rng, mac, pool, local);
  association.connect(Time(seconds(1)));
  Bytes packet(1200);
  packet.resize(association.poll_packet(Time(seconds(1)), packet));
  EXPECT_EQ(Bytes(packet.begin() + CommonHeader::kBytes, packet.end()),
            make_init(Options(), local));
}

// RFC 9260 §5.2.2: a peer that begins anew is heard, however the first time came to be.
TEST(OutOfBandInit, SurvivesAPeersRestart) {
  AssociationPair pair;
  pair.connect_out_of_band();
  AssociationPair other({}, {}, {}, 99);
  other.a().connect(other.now());
  other.drain();
  pair.inject(kB, other.sent(kA).front());
  pair.drain();
  EXPECT_FALSE(test::last_with(pair.sent(kB), ChunkType::kInitAck).empty());
  EXPECT_TRUE(pair.b().is_connected());
}

}  // namespace
}  // namespace millrace::sctp
