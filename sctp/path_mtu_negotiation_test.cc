// SPDX-License-Identifier: Apache-2.0
// The path's MTU is sought towards peers that list PAD among their extensions, and no others
// (RFC 8899 §6.2.1.2, RFC 4820, RFC 5061 §4.2.7), however the two INITs have come.
#include <gtest/gtest.h>

#include <array>
#include <optional>
#include <string>

#include "sctp/packet/init_parameters.h"
#include "sctp/testing/connected_pair_fixture.h"

namespace millrace::sctp {
namespace {

enum class SetUpBy { kBoth, kAlone, kSignalling };

Options with_pad(bool pad) {
  Options options;
  options.path_mtu.enabled = true;
  options.extensions.pad = pad;
  return options;
}

class PathMtuNegotiation : public ::testing::TestWithParam<SetUpBy> {
 protected:
  void connect(bool a, bool b) {
    pair_.emplace(with_pad(a), with_pad(b));
    switch (GetParam()) {
      case SetUpBy::kBoth:
        ASSERT_TRUE(pair_->connect_both());
        break;
      case SetUpBy::kAlone:
        // B learns of A from nothing but its own cookie (RFC 9260 §5.1.3).
        pair_->a().connect(pair_->now());
        pair_->drain();
        pair_->run_for(seconds(1));
        break;
      case SetUpBy::kSignalling:
        pair_->connect_out_of_band(with_pad(a), with_pad(b));
        break;
    }
    ASSERT_TRUE(pair_->a().is_connected());
    ASSERT_TRUE(pair_->b().is_connected());
  }
  void transfer() {
    for (int i = 0; i < 50; ++i) {
      for (const int end : {kA, kB}) {
        ASSERT_EQ((*pair_)[end].send(pair_->now(), StreamId(1), kPpidBinary, Bytes(20000, 1)),
                  SendStatus::kOk);
      }
      pair_->drain();
      pair_->run_for(milliseconds(40));
    }
  }

  std::optional<AssociationPair> pair_;
};

TEST_P(PathMtuNegotiation, BothEndsKnowPadAndBothSearch) {
  connect(true, true);
  transfer();
  for (const int end : {kA, kB}) {
    EXPECT_GE((*pair_)[end].stats().mtu_probes_acked, 3u) << end;
    EXPECT_GE((*pair_)[end].packet_bytes(), 1400u) << end;
  }
}

TEST_P(PathMtuNegotiation, APeerThatDoesNotListPadIsSentNone) {
  for (const int silent : {kA, kB}) {
    connect(silent != kA, silent != kB);
    transfer();
    for (const int end : {kA, kB}) {
      EXPECT_EQ((*pair_)[end].stats().mtu_probes_sent, 0u) << end;
      EXPECT_EQ((*pair_)[end].packet_bytes(), Options{}.max_packet_bytes) << end;
      for (const Bytes& packet : pair_->sent(end)) {
        ASSERT_FALSE(test::find_chunk(packet, ChunkType::kPad));
      }
    }
  }
}

// Nor is it fallen back from what can never be found again.
TEST_P(PathMtuNegotiation, LossDoesNotShrinkThePacketsOfAPeerThatCannotBeAsked) {
  connect(true, false);
  int lost = 0;
  pair_->filter = [&](int end, ByteSpan packet) {
    return end != kA || packet.size() < 1000 || ++lost > 20;
  };
  transfer();
  pair_->run_for(seconds(60));
  EXPECT_GT(lost, 20);
  EXPECT_EQ(pair_->a().packet_bytes(), Options{}.max_packet_bytes);
  EXPECT_EQ(pair_->a().stats().mtu_black_holes, 0u);
}

std::string name_of(const ::testing::TestParamInfo<SetUpBy>& by) {
  constexpr std::array<const char*, 3> kNames{"ByBoth", "ByOne", "BySignalling"};
  return kNames[static_cast<std::size_t>(by.param)];
}

INSTANTIATE_TEST_SUITE_P(SetUp, PathMtuNegotiation,
                         ::testing::Values(SetUpBy::kBoth, SetUpBy::kAlone, SetUpBy::kSignalling),
                         name_of);

}  // namespace
}  // namespace millrace::sctp
