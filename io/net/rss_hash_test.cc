// SPDX-License-Identifier: Apache-2.0
#include "io/net/rss_hash.h"

#include <gtest/gtest.h>

#include <map>

#include "engine/base/rng.h"

namespace millrace::io {
namespace {

Address at(const char* text) { return *Address::parse(text); }

// Microsoft, "Verifying the RSS Hash Calculation": the key, and what it gives.
constexpr std::array<std::uint8_t, 40> kMicrosoftKey = {
    0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3,
    0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3,
    0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa};

TEST(RssHash, MatchesThePublishedVectors) {
  struct Vector {
    const char* source;
    const char* destination;
    std::uint32_t hash;
  };
  constexpr Vector kVectors[] = {
      {"66.9.149.187:2794", "161.142.100.80:1766", 0x51ccc178},
      {"199.92.111.2:14230", "65.69.140.83:4739", 0xc626b0ea},
      {"24.19.198.95:12898", "12.22.207.184:38024", 0x5c2b394a},
      {"38.27.205.30:48228", "209.142.163.6:2217", 0xafc7327f},
      {"153.39.163.191:44251", "202.188.127.2:1303", 0x10e828a2},
      {"[3ffe:2501:200:1fff::7]:2794", "[3ffe:2501:200:3::1]:1766", 0x40207d3d},
      {"[3ffe:501:8::260:97ff:fe40:efab]:14230", "[ff02::1]:4739", 0xdde51bbf},
      {"[3ffe:1900:4545:3:200:f8ff:fe21:67cf]:44251", "[fe80::200:f8ff:fe21:67cf]:38024",
       0x02d1feef},
  };
  for (const Vector& one : kVectors) {
    EXPECT_EQ(rss_hash(kMicrosoftKey, at(one.source), at(one.destination)), one.hash) << one.source;
  }
  // Addresses alone.
  const std::array<std::uint8_t, 8> pair{66, 9, 149, 187, 161, 142, 100, 80};
  EXPECT_EQ(toeplitz_hash(kMicrosoftKey, pair), 0x323e8fc2u);
}

TEST(RssHash, OurKeyGivesBothDirectionsOneHashAndSpreads) {
  constexpr auto kKey = symmetric_rss_key();
  SeededRng rng(3);
  std::map<std::uint16_t, int> queues;
  for (int i = 0; i < 4000; ++i) {
    Address a = at(i % 2 == 0 ? "10.0.0.1:5000" : "[2001:db8::1]:5000");
    Address b = a;
    rng.fill(std::span(b.ip.bytes).first(b.ip.is_v4() ? 4 : 16));
    b.port = static_cast<std::uint16_t>(rng.below(65536));
    const std::uint32_t hash = rss_hash(kKey, a, b);
    ASSERT_EQ(hash, rss_hash(kKey, b, a));
    ++queues[rss_queue(hash, 128, 4)];
  }
  ASSERT_EQ(queues.size(), 4u);
  for (const auto& [queue, count] : queues) EXPECT_GT(count, 800) << queue;
}

TEST(RssHash, TheStandardKeyIsNotSymmetric) {
  EXPECT_NE(rss_hash(kMicrosoftKey, at("10.0.0.1:1"), at("10.0.0.2:2")),
            rss_hash(kMicrosoftKey, at("10.0.0.2:2"), at("10.0.0.1:1")));
}

TEST(RssHash, TheTableNamesQueuesByTurns) {
  EXPECT_EQ(rss_queue(0xabcdef85, 128, 3), 5 % 3);
  EXPECT_EQ(rss_queue(0xffffffff, 64, 1), 0);
}

}  // namespace
}  // namespace millrace::io
