// SPDX-License-Identifier: Apache-2.0
#include "io/net/mac_address.h"

#include <gtest/gtest.h>

namespace millrace::io {
namespace {

TEST(MacAddress, ReadsBackWhatItWrites) {
  const auto mac = MacAddress::parse("02:5E:10:ab:cD:0f");
  ASSERT_TRUE(mac);
  EXPECT_EQ(mac->to_string(), "02:5e:10:ab:cd:0f");
}

TEST(MacAddress, TakesNoOtherForm) {
  for (const char* text :
       {"", "02:00:00:00:00", "02:00:00:00:00:0", "02:00:00:00:00:001", "02-00-00-00-00-01",
        "02:00:00:00:00:0g", "02:00:00:00:00:01 ", "0200.0000.0001", "02:00:00:00:00:01:02"}) {
    EXPECT_FALSE(MacAddress::parse(text)) << text;
  }
}

TEST(MacAddress, AStationIsNeitherGroupNorZero) {
  EXPECT_TRUE(MacAddress::parse("02:00:00:00:00:01")->is_station());
  EXPECT_FALSE(MacAddress::parse("01:00:5e:00:00:01")->is_station());
  EXPECT_FALSE(MacAddress::broadcast().is_station());
  EXPECT_FALSE(MacAddress{}.is_station());
}

}  // namespace
}  // namespace millrace::io
