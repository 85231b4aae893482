// SPDX-License-Identifier: Apache-2.0
#include "sctp/packet/reconfig_chunk.h"

#include <gtest/gtest.h>

#include <array>
#include <set>
#include <utility>

#include "sctp/packet/chunk_test_support.h"

namespace millrace::sctp {
namespace {

const std::array<StreamId, 3> kStreams = {StreamId(1), StreamId(2), StreamId(65535)};
const Bytes kReset =
    from_hex("82 00 00 1a  00 0d 00 16  00 00 10 00  00 00 20 00  00 00 30 00  00 01 00 02 ff ff");

template <class Parameter>
Bytes encode_parameter(const Parameter& parameter) {
  Bytes space(256);
  TlvWriter writer(space);
  EXPECT_TRUE(writer.append(parameter));
  return {writer.bytes().begin(), writer.bytes().end()};
}

template <class View>
void expect_only_whole_parameter(const Bytes& bytes, std::set<std::size_t> valid = {}) {
  for (std::size_t n = kTlvHeaderBytes; n < bytes.size(); ++n) {
    const Bytes exact(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(n));
    const TlvView tlv{load_be16(bytes.data()), exact};
    EXPECT_EQ(View::parse(tlv).has_value(), valid.contains(n)) << n;
  }
  EXPECT_TRUE(View::parse({load_be16(bytes.data()), bytes}));
  EXPECT_FALSE(View::parse({99, bytes}));
}

// RFC 6525 §4.1
TEST(ReconfigChunk, OutgoingSsnResetReadsAndWritesAGolden) {
  const Bytes parameter = encode_parameter(
      OutgoingSsnResetRequest{ReconfigSeq(0x1000), ReconfigSeq(0x2000), Tsn(0x3000), kStreams});
  EXPECT_EQ(build(ReconfigChunk{parameter}), kReset);
  const std::optional<ReconfigChunk> chunk = ReconfigChunk::parse(kReset);
  ASSERT_TRUE(chunk);
  TlvReader reader(chunk->parameters);
  const std::optional<OutgoingSsnResetRequestView> view =
      OutgoingSsnResetRequestView::parse(*reader.next());
  ASSERT_TRUE(view);
  EXPECT_EQ(view->request_seq, ReconfigSeq(0x1000));
  EXPECT_EQ(view->response_seq, ReconfigSeq(0x2000));
  EXPECT_EQ(view->last_assigned_tsn, Tsn(0x3000));
  ASSERT_EQ(view->streams.size(), 3u);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(view->streams[i], kStreams[i]);
  // A list may end behind any stream: the lengths that leave whole ones are valid.
  expect_only_whole_parameter<OutgoingSsnResetRequestView>(parameter, {16, 18, 20});
}

// RFC 6525 §4.2
TEST(ReconfigChunk, IncomingSsnResetReadsAndWritesAGolden) {
  const Bytes golden = from_hex("00 0e 00 0e  00 00 10 00  00 01 00 02 ff ff");
  EXPECT_EQ(encode_parameter(IncomingSsnResetRequest{ReconfigSeq(0x1000), kStreams}), golden);
  TlvReader reader(golden);
  const auto view = IncomingSsnResetRequestView::parse(*reader.next());
  ASSERT_TRUE(view);
  EXPECT_EQ(view->request_seq, ReconfigSeq(0x1000));
  EXPECT_EQ(view->streams[2], StreamId(65535));
  expect_only_whole_parameter<IncomingSsnResetRequestView>(golden, {8, 10, 12});
}

// RFC 6525 §4.3
TEST(ReconfigChunk, SsnTsnResetReadsAndWritesAGolden) {
  const Bytes golden = from_hex("00 0f 00 08  00 00 10 00");
  EXPECT_EQ(encode_parameter(SsnTsnResetRequest{ReconfigSeq(0x1000)}), golden);
  expect_only_whole_parameter<SsnTsnResetRequest>(golden);
}

// RFC 6525 §4.4
TEST(ReconfigChunk, ResponseReadsAndWritesAGolden) {
  const Bytes plain = from_hex("00 10 00 0c  00 00 10 00  00 00 00 01");
  EXPECT_EQ(encode_parameter(ReconfigResponse{ReconfigSeq(0x1000), ReconfigResult::kPerformed, {}}),
            plain);
  expect_only_whole_parameter<ReconfigResponse>(plain);
  const Bytes full = from_hex("00 10 00 14  00 00 10 00  00 00 00 06  00 00 30 00  00 00 40 00");
  TlvReader reader(full);
  const std::optional<ReconfigResponse> response = ReconfigResponse::parse(*reader.next());
  ASSERT_TRUE(response && response->next_tsns);
  EXPECT_EQ(response->result, ReconfigResult::kInProgress);
  EXPECT_EQ(response->next_tsns->sender, Tsn(0x3000));
  EXPECT_EQ(response->next_tsns->receiver, Tsn(0x4000));
  EXPECT_EQ(encode_parameter(*response), full);
  expect_only_whole_parameter<ReconfigResponse>(full, {12});
}

// RFC 6525 §4.5, §4.6
TEST(ReconfigChunk, AddStreamsReadsAndWritesAGolden) {
  const Bytes out = from_hex("00 11 00 0c  00 00 10 00  00 20 00 00");
  EXPECT_EQ(encode_parameter(AddOutgoingStreamsRequest{ReconfigSeq(0x1000), 32}), out);
  TlvReader reader(out);
  EXPECT_EQ(AddOutgoingStreamsRequest::parse(*reader.next())->new_streams, 32);
  expect_only_whole_parameter<AddOutgoingStreamsRequest>(out);
  const Bytes in = from_hex("00 12 00 0c  00 00 10 00  00 20 00 00");
  EXPECT_EQ(encode_parameter(AddIncomingStreamsRequest{ReconfigSeq(0x1000), 32}), in);
  expect_only_whole_parameter<AddIncomingStreamsRequest>(in);
}

// RFC 6525 §3.1, §5.1.2
TEST(ReconfigChunk, AllowsTheTenCombinationsAndNoOther) {
  const std::set<std::pair<int, int>> allowed = {{13, 14}, {17, 18}, {13, 16}, {16, 16}};
  for (int first = 12; first <= 19; ++first) {
    const bool known = first >= 13 && first <= 18;
    Bytes one = from_hex("82 00 00 08  00 00 00 04");
    store_be16(&one[4], static_cast<std::uint16_t>(first));
    EXPECT_EQ(parses<ReconfigChunk>(one), known) << first;
    for (int second = 12; second <= 19; ++second) {
      Bytes two = from_hex("82 00 00 0c  00 00 00 04  00 00 00 04");
      store_be16(&two[4], static_cast<std::uint16_t>(first));
      store_be16(&two[8], static_cast<std::uint16_t>(second));
      const bool pair = allowed.contains({std::min(first, second), std::max(first, second)});
      EXPECT_EQ(parses<ReconfigChunk>(two), pair) << first << ", " << second;
    }
  }
  EXPECT_FALSE(parses<ReconfigChunk>(from_hex("82 00 00 04"))) << "none";
  EXPECT_FALSE(
      parses<ReconfigChunk>(from_hex("82 00 00 10  00 10 00 04  00 10 00 04  00 10 00 04")))
      << "three";
}

// RFC 6525 §4.1.
TEST(ReconfigChunk, RejectsTruncationsAndForeignLengths) {
  expect_only_whole<ReconfigChunk>(kReset);
}

TEST(ReconfigChunk, ChangedBytesNeverReachPastTheChunk) {
  with_random_changes(kReset, [](ByteSpan bytes) {
    const std::optional<ReconfigChunk> chunk = ReconfigChunk::parse(bytes);
    if (!chunk) return;
    TlvReader reader(chunk->parameters);
    while (const std::optional<TlvView> tlv = reader.next()) {
      if (const auto request = OutgoingSsnResetRequestView::parse(*tlv)) {
        for (std::size_t i = 0; i < request->streams.size(); ++i) (void)request->streams[i];
      }
    }
  });
}

}  // namespace
}  // namespace millrace::sctp
