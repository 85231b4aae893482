// SPDX-License-Identifier: Apache-2.0
#include "sctp/tx/reordering_window.h"

#include <gtest/gtest.h>

namespace millrace::sctp {
namespace {

constexpr Duration kMinRtt = milliseconds(20);
constexpr Duration kSrtt = milliseconds(24);

Duration length(const ReorderingWindow& window, bool in_recovery = false,
                std::size_t packets_acked = 1) {
  return window.length(kMinRtt, kSrtt, in_recovery, packets_acked);
}

// RFC 8985 §6.2, step 4.
TEST(ReorderingWindow, ThreePacketsProveALossUntilReorderingIsSeen) {
  ReorderingWindow window;
  EXPECT_EQ(length(window, false, 2), kMinRtt / 4);
  EXPECT_EQ(length(window, false, 3), Duration::zero());
  EXPECT_EQ(length(window, true, 0), Duration::zero());
  window.note_reordering();
  EXPECT_EQ(length(window, false, 3), kMinRtt / 4);
  EXPECT_EQ(length(window, true, 3), kMinRtt / 4);
}

// RFC 8985 §6.2, step 4: by a quarter for each round trip with duplicates, up to SRTT.
TEST(ReorderingWindow, DuplicatesWidenItOnceARoundTrip) {
  ReorderingWindow window;
  window.note_duplicates(UnwrappedTsn(100), UnwrappedTsn(150));
  EXPECT_EQ(length(window), 2 * (kMinRtt / 4));
  window.note_duplicates(UnwrappedTsn(148), UnwrappedTsn(190));
  EXPECT_EQ(length(window), 2 * (kMinRtt / 4)) << "the same round trip";
  window.note_duplicates(UnwrappedTsn(149), UnwrappedTsn(200));
  EXPECT_EQ(length(window), 3 * (kMinRtt / 4));
  for (std::uint64_t tsn = 200; tsn < 1200; tsn += 10) {
    window.note_duplicates(UnwrappedTsn(tsn), UnwrappedTsn(tsn + 10));
  }
  EXPECT_EQ(length(window), kSrtt);
}

// RFC 8985 §6.2, step 4: RACK.reo_wnd_persist.
TEST(ReorderingWindow, SixteenRecoveriesWithoutDuplicatesNarrowItAgain) {
  ReorderingWindow window;
  window.note_duplicates(UnwrappedTsn(100), UnwrappedTsn(150));
  for (int i = 0; i < 15; ++i) window.note_recovery_end();
  EXPECT_EQ(length(window), 2 * (kMinRtt / 4));
  window.note_recovery_end();
  EXPECT_EQ(length(window), kMinRtt / 4);
}

TEST(ReorderingWindow, ItIsNeverFinerThanATimer) {
  ReorderingWindow window;
  EXPECT_EQ(window.length(microseconds(40), microseconds(60), false, 1), milliseconds(1));
  EXPECT_EQ(window.length(Duration::max(), Duration::zero(), false, 1), milliseconds(1));
}

}  // namespace
}  // namespace millrace::sctp
