// SPDX-License-Identifier: Apache-2.0
#include "engine/record/qlog_writer.h"

#include <gtest/gtest.h>

#include <array>
#include <nlohmann/json.hpp>
#include <vector>

#include "engine/base/rng.h"
#include "sctp/packet/data_chunk.h"
#include "sctp/packet/sack_chunk.h"

namespace millrace::engine {
namespace {

using nlohmann::json;

constexpr Time kStart{seconds(100)};

// RFC 7464 §2: each text stands between a record separator and a line feed.
std::vector<json> records_of(const std::string& text) {
  std::vector<json> out;
  std::size_t at = 0;
  while (at < text.size()) {
    EXPECT_EQ(text[at], '\x1e');
    const std::size_t end = text.find('\n', at);
    EXPECT_NE(end, std::string::npos);
    if (end == std::string::npos) break;
    out.push_back(json::parse(text.substr(at + 1, end - at - 1)));
    at = end + 1;
  }
  return out;
}

std::vector<std::uint8_t> data_packet(std::uint32_t tsn, std::size_t payload) {
  std::vector<std::uint8_t> packet(12 + 16 + payload);
  const sctp::DataChunkHeader header{sctp::Tsn(tsn),
                                     sctp::StreamId(3),
                                     sctp::Ssn(4),
                                     sctp::kPpidString,
                                     {false, false, true, true}};
  header.write(&packet[12], payload);
  return packet;
}

class QlogTest : public testing::Test {
 protected:
  QlogWriter writer_{{"session 1", "client", kStart, 1'500'000'000}};
  std::string text_;
};

TEST_F(QlogTest, BeginsWithTheHeaderRecord) {
  writer_.header(text_);
  const auto records = records_of(text_);
  ASSERT_EQ(records.size(), 1u);
  EXPECT_EQ(records[0]["qlog_version"], "0.4");
  EXPECT_EQ(records[0]["qlog_format"], "JSON-SEQ");
  EXPECT_EQ(records[0]["trace"]["vantage_point"]["type"], "client");
  EXPECT_EQ(records[0]["trace"]["common_fields"]["time_format"], "relative");
  EXPECT_EQ(records[0]["trace"]["common_fields"]["reference_time"], 1500.0);
}

TEST_F(QlogTest, WritesDataAndMarksWhatIsSentAgain) {
  for (const std::uint32_t tsn : {0xffffffffu, 0u, 0xffffffffu, 1u}) {
    writer_.packet(text_, kStart + microseconds(1500), true, data_packet(tsn, 10));
  }
  const auto records = records_of(text_);
  ASSERT_EQ(records.size(), 4u);
  EXPECT_EQ(records[0]["name"], "sctp:packet_sent");
  EXPECT_EQ(records[0]["time"], 1.5);
  const json chunk = records[0]["data"]["chunks"][0];
  EXPECT_EQ(chunk["type"], "data");
  EXPECT_EQ(chunk["tsn"], 0xffffffffu);
  EXPECT_EQ(chunk["stream_id"], 3);
  EXPECT_EQ(chunk["ssn"], 4);
  EXPECT_EQ(chunk["ppid"], 51);
  EXPECT_EQ(chunk["payload_length"], 10);
  EXPECT_EQ(chunk["beginning"], true);
  EXPECT_FALSE(chunk.contains("unordered"));
  const std::array again = {false, false, true, false};
  for (std::size_t i = 0; i < again.size(); ++i) {
    EXPECT_EQ(records[i]["data"]["chunks"][0].contains("retransmission"), again[i]) << i;
  }
}

TEST_F(QlogTest, WritesGapBlocksAsTsns) {
  const std::array<sctp::GapAckBlock, 2> gaps = {{{2, 3}, {5, 5}}};
  const std::array<sctp::Tsn, 1> duplicates = {sctp::Tsn(9)};
  const sctp::SackChunk sack{sctp::Tsn(1000), 65536, gaps, duplicates};
  std::vector<std::uint8_t> packet(12 + sack.size());
  sack.write(MutableByteSpan(packet).subspan(12));
  writer_.packet(text_, kStart, false, packet);
  const json chunk = records_of(text_).at(0)["data"]["chunks"][0];
  EXPECT_EQ(chunk["type"], "sack");
  EXPECT_EQ(chunk["cumulative_tsn_ack"], 1000);
  EXPECT_EQ(chunk["a_rwnd"], 65536);
  EXPECT_EQ(chunk["gap_blocks"], json::parse("[[1002,1003],[1005,1005]]"));
  EXPECT_EQ(chunk["duplicates"], json::parse("[9]"));
}

TEST_F(QlogTest, WritesOnlyWhatHasChangedOfASample) {
  TraceSample sample;
  sample.metrics.state = "cookie_wait";
  sample.metrics.cwnd = 12'000;
  writer_.sample(text_, kStart, sample);
  EXPECT_EQ(records_of(text_).size(), 2u);
  text_.clear();
  writer_.sample(text_, kStart, sample);
  EXPECT_EQ(text_, "");
  sample.metrics.state = "established";
  sample.metrics.srtt = microseconds(2500);
  ++sample.t3_expiries;
  ++sample.fast_retransmits;
  sample.drops += 4;
  writer_.sample(text_, kStart, sample);
  const auto records = records_of(text_);
  ASSERT_EQ(records.size(), 5u);
  EXPECT_EQ(records[0]["name"], "sctp:association_state_updated");
  EXPECT_EQ(records[0]["data"], json::parse(R"({"old":"cookie_wait","new":"established"})"));
  EXPECT_EQ(records[1]["name"], "recovery:loss_detected");
  EXPECT_EQ(records[2]["data"]["timer_type"], "t3");
  EXPECT_EQ(records[3]["data"]["count"], 4);
  EXPECT_EQ(records[4]["name"], "recovery:metrics_updated");
  EXPECT_EQ(records[4]["data"], json::parse(R"({"smoothed_rtt":2.5})"));
}

// What was received may be anything.
TEST_F(QlogTest, StaysWellFormedWhateverAPacketHolds) {
  SeededRng rng(7);
  for (int round = 0; round < 2000; ++round) {
    std::vector<std::uint8_t> packet(rng.next() % 80);
    for (std::uint8_t& byte : packet) byte = static_cast<std::uint8_t>(rng.next());
    // Make the chunks add up now and then, so that more than the first is reached.
    if (packet.size() > 16)
      store_be16(&packet[14], static_cast<std::uint16_t>(4 + rng.next() % 32));
    if (packet.size() > 16) packet[12] = static_cast<std::uint8_t>(rng.next() % 20);
    writer_.packet(text_, kStart, round % 2 == 0, packet);
  }
  EXPECT_EQ(records_of(text_).size(), 2000u);
}

}  // namespace
}  // namespace millrace::engine
