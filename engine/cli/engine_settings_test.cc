// SPDX-License-Identifier: Apache-2.0
#include "engine/cli/engine_settings.h"

#include <gtest/gtest.h>

namespace millrace::cli {
namespace {

class EngineSettingsTest : public ::testing::Test {
 protected:
  EngineSettingsTest() { add_engine_settings(settings_, options_); }

  bool set(const std::string& name, const std::string& value) {
    const Setting* const setting = settings_.find(name);
    return setting != nullptr && setting->assign(value);
  }
  std::string expected(const std::string& name) { return settings_.find(name)->expected; }

  EngineOptions options_;
  Settings settings_;
};

TEST_F(EngineSettingsTest, CongestionNamesEachController) {
  EXPECT_EQ(options_.sctp.congestion_control, CongestionControl::kCubic);
  for (const auto& [name, control] :
       {std::pair{"newreno", CongestionControl::kNewReno},
        std::pair{"bbr", CongestionControl::kBbr}, std::pair{"tfrc", CongestionControl::kTfrc},
        std::pair{"fixed", CongestionControl::kFixedRate},
        std::pair{"cubic", CongestionControl::kCubic}}) {
    EXPECT_TRUE(set("congestion", name)) << name;
    EXPECT_EQ(options_.sctp.congestion_control, control) << name;
  }
  EXPECT_FALSE(set("congestion", "reno"));
  EXPECT_EQ(expected("congestion"), "cubic, newreno, bbr, tfrc or fixed");
}

TEST_F(EngineSettingsTest, CongestionRateIsInMegabits) {
  EXPECT_TRUE(set("congestion-rate", "250"));
  EXPECT_EQ(options_.sctp.fixed_rate_bits, 250'000'000u);
  EXPECT_FALSE(set("congestion-rate", "0"));
  EXPECT_FALSE(set("congestion-rate", "1000001"));
  EXPECT_FALSE(set("congestion-rate", "fast"));
}

TEST_F(EngineSettingsTest, TimesOfTheAssociationHaveTheirRanges) {
  EXPECT_TRUE(set("rto-min", "1"));
  EXPECT_EQ(options_.sctp.rto_min, milliseconds(1));
  EXPECT_TRUE(set("rto-min", "1000"));
  EXPECT_FALSE(set("rto-min", "0"));
  EXPECT_FALSE(set("rto-min", "1001"));
  EXPECT_EQ(expected("rto-min"), "milliseconds, a whole number from 1 to 1000");
  EXPECT_TRUE(set("sack-delay", "0"));
  EXPECT_EQ(options_.sctp.sack_delay, milliseconds(0));
  EXPECT_TRUE(set("sack-delay", "200"));
  EXPECT_FALSE(set("sack-delay", "201"));
}

TEST(InFlags, NamesTheFlagThatSetsAnOption) {
  EXPECT_EQ(in_flags({"pcap_file: cannot write 'x'"}), "--pcap: cannot write 'x'");
  EXPECT_EQ(in_flags({"listen: bad 'y': no port"}), "--udp: bad 'y': no port");
  for (const char* const other : {"bind udp 1.2.3.4:5: in use", "pcap_file", "", ": x"}) {
    EXPECT_EQ(in_flags({other}), other);
  }
}

}  // namespace
}  // namespace millrace::cli
