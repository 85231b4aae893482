// SPDX-License-Identifier: Apache-2.0
// Messages sent part by part, between two associations.
#include <gtest/gtest.h>

#include "sctp/testing/connected_pair_fixture.h"

namespace millrace::sctp {
namespace {

Options with_small_buffer(bool forward_tsn = true) {
  Options options;
  options.send_buffer_bytes = 256 << 10;
  options.max_message_bytes = 4 << 20;
  options.extensions.forward_tsn = forward_tsn;
  return options;
}

Bytes part_of(std::size_t offset, std::size_t bytes) {
  Bytes part(bytes);
  for (std::size_t i = 0; i < bytes; ++i) {
    part[i] = static_cast<std::uint8_t>((offset + i) * 7 + ((offset + i) >> 9));
  }
  return part;
}

TEST(StreamedMessage, PassesALossyPathWithinASmallBuffer) {
  AssociationPair pair(with_small_buffer(), with_small_buffer(), {.loss = 0.02});
  ASSERT_TRUE(pair.connect_both());
  constexpr std::size_t kSize = 2 << 20;
  std::size_t given = 0;
  const auto feed = [&] {
    while (given < kSize) {
      const std::size_t bytes = std::min<std::size_t>(kSize - given, 30000);
      const SendStatus status =
          pair.a().send_part(pair.now(), StreamId(1), kPpidBinary, part_of(given, bytes),
                             {.last = given + bytes == kSize, .total_bytes = kSize});
      if (status != SendStatus::kOk) return;
      given += bytes;
    }
  };
  feed();
  EXPECT_LT(given, kSize);
  ASSERT_TRUE(pair.run_until([&] {
    feed();
    EXPECT_LE(pair.a().buffered_amount(), 256u << 10);
    const test::RecordedEvent* const part = pair.last(kB, EventKind::kMessage);
    return part != nullptr && part->event.message.last;
  }));
  // It is too large to come whole.
  Bytes received;
  for (const test::RecordedEvent& event : pair.events(kB)) {
    if (event.kind != EventKind::kMessage) continue;
    EXPECT_EQ(event.event.message.offset, received.size());
    received.insert(received.end(), event.payload.begin(), event.payload.end());
  }
  EXPECT_EQ(received.size(), kSize);
  EXPECT_TRUE(received == part_of(0, kSize));
}

// RFC 9260 §9.2: all that was taken is delivered first, which no longer can be.
TEST(StreamedMessage, AShutdownGivesUpWhatIsUnfinished) {
  for (const int closer : {kA, kB}) {
    AssociationPair pair(with_small_buffer(), with_small_buffer());
    ASSERT_TRUE(pair.connect_both());
    ASSERT_EQ(pair.a().send_part(pair.now(), StreamId(1), kPpidBinary, part_of(0, 50000), {}),
              SendStatus::kOk);
    pair.run_for(milliseconds(100));
    pair[closer].shutdown(pair.now());
    ASSERT_TRUE(pair.run_until([&] { return pair.a().is_closed() && pair.b().is_closed(); }));
    EXPECT_EQ(pair.last(kA, EventKind::kClosed)->event.close_reason,
              closer == kA ? CloseReason::kShutdown : CloseReason::kPeerShutdown);
    EXPECT_EQ(pair.count(kB, EventKind::kMessage), 0u);
  }
}

TEST(StreamedMessage, AShutdownIsAnAbortWhereThePeerCannotSkipWhatIsUnfinished) {
  for (const int closer : {kA, kB}) {
    AssociationPair pair(with_small_buffer(false), with_small_buffer(false));
    ASSERT_TRUE(pair.connect_both());
    ASSERT_EQ(pair.a().send_part(pair.now(), StreamId(1), kPpidBinary, part_of(0, 50000), {}),
              SendStatus::kOk);
    pair.run_for(milliseconds(100));
    EXPECT_FALSE(pair.a().abort_message(pair.now(), StreamId(1)));
    pair[closer].shutdown(pair.now());
    ASSERT_TRUE(pair.run_until([&] { return pair.a().is_closed() && pair.b().is_closed(); }));
    EXPECT_EQ(pair.last(kB, EventKind::kClosed)->event.close_reason, CloseReason::kPeerAborted);
  }
}

// RFC 6525 §5.1.2: a reset waits for what was begun; given up, it waits no longer.
TEST(StreamedMessage, AStreamIsResetAfterItsMessageWasGivenUp) {
  AssociationPair pair(with_small_buffer(), with_small_buffer());
  ASSERT_TRUE(pair.connect_both());
  ASSERT_EQ(pair.a().send_part(pair.now(), StreamId(1), kPpidBinary, part_of(0, 50000), {}),
            SendStatus::kOk);
  pair.run_for(milliseconds(100));
  EXPECT_TRUE(pair.a().abort_message(pair.now(), StreamId(1)));
  pair.a().reset_streams(pair.now(), std::array{StreamId(1)});
  ASSERT_TRUE(pair.run_until([&] { return pair.count(kA, EventKind::kStreamResetDone) == 1; }));
  ASSERT_EQ(pair.a().send(pair.now(), StreamId(1), kPpidBinary, part_of(0, 100)), SendStatus::kOk);
  ASSERT_TRUE(pair.run_until([&] { return pair.count(kB, EventKind::kMessage) == 1; }));
  EXPECT_EQ(pair.last(kB, EventKind::kMessage)->payload, part_of(0, 100));
}

}  // namespace
}  // namespace millrace::sctp
