// SPDX-License-Identifier: Apache-2.0
//
// RFC 8899 §4.6.1: words that no router said, against the search for the path's MTU.
#include <gtest/gtest.h>

#include <algorithm>

#include "engine/base/rng.h"
#include "sctp/path_mtu.h"
#include "sctp/testing/path_sizes.h"

namespace millrace::sctp {
namespace {

using testing::kBase;
using testing::kJumbo;
using testing::kMin;
using testing::kRto;
using testing::kRtt;

// Who answers each probe before the peer does keeps it from being confirmed, and his own word from
// being refuted: but not for long.
TEST(ForgedWords, AWordForEachProbePinsTheSizeForAWhileOnly) {
  SeededRng rng(1);
  PathMtu path({.enabled = true}, kBase, rng);
  path.start();
  Time now{seconds(1000)};
  Time pinned{};
  for (int turn = 0; turn < 4000 && path.packet_bytes() < kJumbo; ++turn) {
    if (path.probe_bytes() > 0) {
      const std::size_t bytes = path.probe_bytes();
      const PathMtu::Info info = path.make_probe(now, kRto);
      if (bytes > kBase) path.handle_too_big(now, bytes, 0);
      now += kRtt;
      path.handle_answer(now, info);
    } else {
      path.handle_too_big(now, path.packet_bytes(), 0);
      now = std::min(now + kRtt, std::max(now, path.next_timeout()));
      path.handle_timeout(now);
    }
    pinned = now;
  }
  EXPECT_EQ(path.packet_bytes(), kJumbo);
  EXPECT_LT(pinned, Time{seconds(1000)} + seconds(60));
  EXPECT_GT(path.hints_ignored(), 0u);
}

// RFC 8899 §3 (6): a flood of them, of any kind, at any moment: no size below the least, and data
// goes on.
TEST(ForgedWords, AFloodOfForgedWordsKeepsNothingFromPassing) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    SeededRng rng(seed);
    PathMtu path({.enabled = true}, kBase, rng);
    path.start();
    Time now{seconds(1000)};
    for (int turn = 0; turn < 4000; ++turn) {
      const std::size_t bytes = rng.below(3) == 0 ? path.packet_bytes() : rng.below(9500);
      path.handle_too_big(now, bytes, rng.below(2) == 0 ? 0 : rng.below(9500));
      ASSERT_GE(path.packet_bytes(), kMin);
      ASSERT_LE(path.packet_bytes(), kJumbo);
      if (path.probe_bytes() > 0) {
        ASSERT_LE(path.probe_bytes(), kJumbo);
        const PathMtu::Info info = path.make_probe(now, kRto);
        now += kRtt;
        path.handle_answer(now, info);
      } else {
        now = std::min(now + kRtt, std::max(now, path.next_timeout()));
        path.handle_timeout(now);
      }
    }
    // It has been found out, and the path is used as it is.
    while (path.probe_bytes() > 0) {
      now += kRtt;
      path.handle_answer(now, path.make_probe(now, kRto));
    }
    EXPECT_EQ(path.packet_bytes(), kJumbo) << seed;
  }
}

}  // namespace
}  // namespace millrace::sctp
