// SPDX-License-Identifier: Apache-2.0
#include "engine/ice/pending_pairs.h"

#include <gtest/gtest.h>

#include <thread>

#include "engine/ice/test_support.h"

namespace millrace::ice {
namespace {

CandidatePair from_port(std::uint16_t port) {
  CandidatePair pair = path("192.0.2.7:1");
  pair.remote.port = port;
  return pair;
}

// A check like no other before it.
bool record(PendingPairs& pairs, Time now, const CandidatePair& pair, bool use_candidate) {
  static std::atomic<std::uint32_t> made{1000};
  return pairs.record(now, pair, transaction(made++), use_candidate) == CheckVerdict::kAccepted;
}

TEST(PendingPairs, KnowsWhatWasRecordedAndNothingElse) {
  PendingPairs pairs;
  EXPECT_FALSE(pairs.contains(from_port(1)));
  EXPECT_TRUE(record(pairs, kStart, from_port(1), false));
  EXPECT_TRUE(pairs.contains(from_port(1)));
  EXPECT_FALSE(pairs.contains(from_port(2)));
  EXPECT_FALSE(pairs.contains(path("192.0.2.7:1", "10.0.0.2")));
  EXPECT_FALSE(pairs.contains(CandidatePair{}));
  EXPECT_FALSE(pairs.nominated());
  EXPECT_EQ(pairs.last_check(), kStart);
}

TEST(PendingPairs, KeepsIpv6AndScopeApart) {
  PendingPairs pairs;
  CandidatePair pair = path("[fe80::1]:9", "fe80::2");
  pair.remote.ip.scope_id = 3;
  ASSERT_TRUE(record(pairs, kStart, pair, true));
  EXPECT_TRUE(pairs.contains(pair));
  EXPECT_EQ(pairs.nominated(), pair);
  pair.remote.ip.scope_id = 4;
  EXPECT_FALSE(pairs.contains(pair));
}

TEST(PendingPairs, LastNominationWins) {
  PendingPairs pairs;
  record(pairs, kStart, from_port(1), true);
  record(pairs, kStart, from_port(2), true);
  record(pairs, kStart, from_port(1), false);
  EXPECT_EQ(pairs.nominated(), from_port(2));
  record(pairs, kStart, from_port(1), true);
  EXPECT_EQ(pairs.nominated(), from_port(1));
}

TEST(PendingPairs, EvictsTheOldestButNeverTheNominated) {
  PendingPairs pairs;
  record(pairs, kStart, from_port(1), true);
  for (std::uint16_t port = 2; port < 1000; ++port) {
    ASSERT_TRUE(record(pairs, kStart + microseconds(port), from_port(port), false));
    EXPECT_TRUE(pairs.contains(from_port(port)));
  }
  EXPECT_TRUE(pairs.contains(from_port(1)));
  EXPECT_EQ(pairs.nominated(), from_port(1));
  // The seven latest besides.
  EXPECT_TRUE(pairs.contains(from_port(993)));
  EXPECT_FALSE(pairs.contains(from_port(992)));
}

TEST(PendingPairs, SnapshotTellsTimesAndNomination) {
  PendingPairs pairs;
  record(pairs, kStart, from_port(1), false);
  record(pairs, kStart + seconds(1), from_port(2), true);
  const PendingPairs::Snapshot known = pairs.snapshot();
  const auto& entries = known.entries;
  ASSERT_EQ(known.count, 2u);
  EXPECT_EQ(entries[0].pair, from_port(1));
  EXPECT_EQ(entries[0].last_check, kStart);
  EXPECT_FALSE(entries[0].nominated);
  EXPECT_EQ(entries[1].last_check, kStart + seconds(1));
  EXPECT_TRUE(entries[1].nominated);
}

TEST(PendingPairs, RefusesATransactionOnAnotherPathThanItsOwn) {
  PendingPairs pairs;
  const TransactionId id = transaction(7);
  EXPECT_EQ(pairs.record(kStart, from_port(1), id, true), CheckVerdict::kAccepted);
  EXPECT_EQ(pairs.record(kStart, from_port(2), id, true), CheckVerdict::kReplayed);
  EXPECT_FALSE(pairs.contains(from_port(2)));
  EXPECT_EQ(pairs.nominated(), from_port(1));
  EXPECT_EQ(pairs.record(kStart + seconds(1), from_port(1), id, true), CheckVerdict::kAccepted);
  EXPECT_EQ(pairs.last_check(), kStart + seconds(1));
  // Nor from a path that is known for another check.
  EXPECT_TRUE(record(pairs, kStart, from_port(3), false));
  EXPECT_EQ(pairs.record(kStart, from_port(3), id, true), CheckVerdict::kReplayed);
  EXPECT_EQ(pairs.nominated(), from_port(1));
}

TEST(PendingPairs, ARepeatedCheckNominatesNothingAnew) {
  PendingPairs pairs;
  pairs.record(kStart, from_port(1), transaction(7), true);
  record(pairs, kStart, from_port(2), true);
  EXPECT_EQ(pairs.record(kStart, from_port(1), transaction(7), true), CheckVerdict::kAccepted);
  EXPECT_EQ(pairs.nominated(), from_port(2));
}

TEST(PendingPairs, RemembersTransactionsOfAnEvictedPath) {
  PendingPairs pairs;
  pairs.record(kStart, from_port(1), transaction(7), false);
  for (std::uint16_t port = 2; port < 2 + PendingPairs::kSlots; ++port) {
    record(pairs, kStart + microseconds(port), from_port(port), false);
  }
  ASSERT_FALSE(pairs.contains(from_port(1)));
  // The path that has its slot is not taken for it.
  for (std::uint16_t port = 1; port < 2 + PendingPairs::kSlots; ++port) {
    EXPECT_EQ(pairs.record(kStart + seconds(1), from_port(port), transaction(7), true),
              CheckVerdict::kReplayed);
  }
  EXPECT_FALSE(pairs.nominated());
}

TEST(PendingPairs, SnapshotTellsWhichPathATransactionCameOn) {
  PendingPairs pairs;
  pairs.record(kStart, from_port(1), transaction(7), false);
  for (std::uint16_t port = 2; port < 2 + PendingPairs::kSlots; ++port) {
    pairs.record(kStart + microseconds(port), from_port(port), transaction(port + 100u), false);
  }
  const PendingPairs::Snapshot known = pairs.snapshot();
  ASSERT_EQ(known.seen_count, 1 + PendingPairs::kSlots);
  EXPECT_EQ(known.seen[0].digest, transaction_digest(transaction(7)));
  EXPECT_EQ(known.seen[0].entry, PendingPairs::kElsewhere);
  for (std::uint16_t port = 2; port < 2 + PendingPairs::kSlots; ++port) {
    const PendingPairs::Seen& seen = known.seen[port - 1u];
    EXPECT_EQ(seen.digest, transaction_digest(transaction(port + 100u)));
    ASSERT_LT(seen.entry, known.count);
    EXPECT_EQ(known.entries[seen.entry].pair, from_port(port));
  }
}

// Run under TSan too. Readers must only ever see pairs that some writer recorded whole:
// remote port and local address of a pair are made from one number.
TEST(PendingPairs, NeverShowsHalfAPairToConcurrentReaders) {
  PendingPairs pairs;
  const auto pair_of = [](std::uint32_t n) {
    CandidatePair pair = from_port(static_cast<std::uint16_t>(1 + n));
    pair.remote.ip.bytes[3] = static_cast<std::uint8_t>(n);
    pair.local.bytes[3] = static_cast<std::uint8_t>(n);
    return pair;
  };
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> torn{0};
  const auto write = [&](std::uint32_t seed) {
    for (std::uint32_t i = 0; i < 20000; ++i) {
      const std::uint32_t n = (i * 7 + seed) % 200;
      record(pairs, kStart + microseconds(i), pair_of(n), n % 16 == 0);
    }
  };
  const auto inspect = [&](const CandidatePair& pair) {
    if (pair != pair_of(pair.remote.port - 1u)) ++torn;
  };
  std::thread reader([&] {
    while (!stop.load()) {
      const PendingPairs::Snapshot known = pairs.snapshot();
      for (std::size_t i = 0; i < known.count; ++i) inspect(known.entries[i].pair);
      for (std::size_t i = 0; i < known.seen_count; ++i) {
        const std::uint8_t entry = known.seen[i].entry;
        if (entry != PendingPairs::kElsewhere && entry >= known.count) ++torn;
      }
      if (const auto nominated = pairs.nominated()) inspect(*nominated);
    }
  });
  std::thread first(write, 0);
  std::thread second(write, 3);
  first.join();
  second.join();
  stop = true;
  reader.join();
  EXPECT_EQ(torn.load(), 0u);
  EXPECT_TRUE(pairs.nominated());
}

TEST(PendingSession, RecordsThePathOfAnAcceptedCheckOnly) {
  PendingSession session(kServer, kClient.ufrag, kStart);
  Bytes out(kMaxStunBytes);
  const Bytes wrong = make_check({.key = "some other password....."});
  EXPECT_EQ(session.handle_check(kStart, view(wrong), from_port(1), kTestMac, out).verdict,
            CheckVerdict::kWrongIntegrity);
  const Bytes conflict = make_check({.controlling = false});
  EXPECT_EQ(session.handle_check(kStart, view(conflict), from_port(1), kTestMac, out).verdict,
            CheckVerdict::kRoleConflict);
  EXPECT_FALSE(session.is_authenticated(from_port(1)));

  const Bytes good = make_check();
  const CheckAnswer answer =
      session.handle_check(kStart + seconds(2), view(good), from_port(1), kTestMac, out);
  EXPECT_EQ(answer.verdict, CheckVerdict::kAccepted);
  out.resize(answer.response_bytes);
  EXPECT_EQ(view(out).mapped_address(), from_port(1).remote);
  EXPECT_TRUE(session.is_authenticated(from_port(1)));
  EXPECT_FALSE(session.is_authenticated(from_port(2)));
}

TEST(PendingSession, ExpiresFromItsMakingOrItsLastCheck) {
  PendingSession session(kServer, "", kStart);
  EXPECT_EQ(session.expiry(seconds(30)), kStart + seconds(30));
  Bytes out(kMaxStunBytes);
  const Bytes check = make_check();
  session.handle_check(kStart + seconds(5), view(check), from_port(1), kTestMac, out);
  EXPECT_EQ(session.expiry(seconds(30)), kStart + seconds(35));
}

}  // namespace
}  // namespace millrace::ice
