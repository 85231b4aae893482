// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <barrier>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "engine/base/rng.h"
#include "engine/table/association_table.h"
#include "engine/table/table_member.h"
#include "engine/table/table_test_support.h"

namespace millrace::engine {
namespace {

using table_test::address_key;
using table_test::number_of;
using table_test::payload;
using table_test::ufrag_key;

// Gate suspends the first writer that reaches the armed step until it is opened.
class Gate {
 public:
  void arm(UpdateStep step) { armed_ = static_cast<int>(step); }
  static void on_step(void* context, UpdateStep step) { static_cast<Gate*>(context)->reach(step); }

  void wait_until_reached() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return reached_; });
  }
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }

 private:
  void reach(UpdateStep step) {
    int expected = static_cast<int>(step);
    if (!armed_.compare_exchange_strong(expected, -1)) return;
    std::unique_lock lock(mutex_);
    reached_ = true;
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_; });
  }

  std::atomic<int> armed_{-1};
  std::mutex mutex_;
  std::condition_variable changed_;
  bool reached_ = false;
  bool open_ = false;
};

// A table with 200 sessions of one address each, every second one claimed, and a writer that is
// suspended at `step` of `update`.
class SuspendedWriter {
 public:
  static constexpr std::uint32_t kSessions = 200;
  static constexpr std::uint32_t kTarget = 100;  // The session that `update` is about.

  SuspendedWriter() : table_(options()), reader_(table_) {
    for (std::uint32_t n = 0; n < kSessions; ++n) {
      const UfragKey ufrag = ufrag_key(n);
      const TableResult made = reader_.create(&ufrag, payload(n));
      EXPECT_TRUE(made.ok() && reader_.add_address(made.entry, address_key(n)).ok());
      if (n % 2 == 1) {
        EXPECT_EQ(reader_.claim(made.entry, 1, n).status, ClaimStatus::kWon);
      }
      entries_.push_back(made.entry);
    }
  }
  ~SuspendedWriter() { finish(); }

  void suspend(UpdateStep step, std::function<void(TableMember&)> update) {
    gate_.arm(step);
    writer_ = std::thread([this, update = std::move(update)] {
      TableMember member(table_);
      update(member);
    });
    gate_.wait_until_reached();
  }
  void finish() {
    if (!writer_.joinable()) return;
    gate_.open();
    writer_.join();
  }
  // Every other session is found, through single look-ups and batches, as often as one likes.
  void expect_others_found() {
    std::vector<AddressKey> keys;
    for (std::uint32_t n = 0; n < kSessions; ++n) keys.push_back(address_key(n));
    std::vector<Found> found(keys.size());
    for (int round = 0; round < 50; ++round) {
      reader_.find_batch(keys, found);
      for (std::uint32_t n = 0; n < kSessions; ++n) {
        if (n == kTarget) continue;
        ASSERT_EQ(found[n].entry, entries_[n]);
        ASSERT_EQ(reader_.find(ufrag_key(n)).entry, entries_[n]);
      }
    }
  }
  TableMember& reader() { return reader_; }
  EntryRef target() const { return entries_[kTarget]; }
  EntryRef entry(std::uint32_t n) const { return entries_[n]; }

 private:
  TableOptions options() {
    return {.max_sessions = 2 * kSessions,
            .addresses_per_session = 4,
            .key = {5, 6},
            .on_step = &Gate::on_step,
            .on_step_context = &gate_};
  }

  Gate gate_;
  AssociationTable table_;
  TableMember reader_;
  std::vector<EntryRef> entries_;
  std::thread writer_;
};

TEST(SuspendedWriterOfTheTable, InCreateLeavesTheSessionUnseenUntilItGoesOn) {
  for (const UpdateStep step : {UpdateStep::kBeforePublish, UpdateStep::kWordPublished}) {
    SuspendedWriter fixture;
    fixture.suspend(step, [](TableMember& member) {
      const UfragKey ufrag = ufrag_key(1000);
      EXPECT_TRUE(member.create(&ufrag, payload(1000)).ok());
    });
    fixture.expect_others_found();
    EXPECT_FALSE(fixture.reader().find(ufrag_key(1000)));
    EXPECT_TRUE(fixture.reader().find(ufrag_key(SuspendedWriter::kTarget)));
    fixture.finish();
    EXPECT_TRUE(fixture.reader().find(ufrag_key(1000)));
  }
}

TEST(SuspendedWriterOfTheTable, InAddAddressLeavesTheOldOrTheNew) {
  for (const UpdateStep step : {UpdateStep::kBeforePublish, UpdateStep::kWordPublished}) {
    SuspendedWriter fixture;
    fixture.suspend(step, [&](TableMember& member) {
      EXPECT_TRUE(member.add_address(fixture.target(), address_key(1000)).ok());
    });
    fixture.expect_others_found();
    const Found found = fixture.reader().find(address_key(1000));
    EXPECT_EQ(static_cast<bool>(found), step == UpdateStep::kWordPublished);
    EXPECT_EQ(fixture.reader().find(address_key(SuspendedWriter::kTarget)).entry, fixture.target());
    // A claim of that very session waits for nobody either.
    EXPECT_EQ(fixture.reader().claim(fixture.target(), 2, 3).status, ClaimStatus::kWon);
    EXPECT_EQ(fixture.reader().find(ufrag_key(SuspendedWriter::kTarget)).handle.shard(), 2u);
    fixture.finish();
    EXPECT_EQ(fixture.reader().find(address_key(1000)).entry, fixture.target());
  }
}

TEST(SuspendedWriterOfTheTable, InRemoveAddressLeavesTheRestOfTheSession) {
  SuspendedWriter fixture;
  fixture.suspend(UpdateStep::kWordCleared, [&](TableMember& member) {
    EXPECT_TRUE(member.remove_address(fixture.target(), address_key(SuspendedWriter::kTarget)));
  });
  fixture.expect_others_found();
  EXPECT_FALSE(fixture.reader().find(address_key(SuspendedWriter::kTarget)));
  EXPECT_EQ(fixture.reader().find(ufrag_key(SuspendedWriter::kTarget)).entry, fixture.target());
}

TEST(SuspendedWriterOfTheTable, InRemoveLeavesNothingToFindAndTheKeyToBeTakenAnew) {
  for (const UpdateStep step : {UpdateStep::kHandleEnded, UpdateStep::kWordCleared}) {
    SuspendedWriter fixture;
    fixture.suspend(step, [&](TableMember& member) {
      EXPECT_TRUE(member.remove(fixture.target(), member.handle(fixture.target())));
    });
    fixture.expect_others_found();
    EXPECT_FALSE(fixture.reader().find(address_key(SuspendedWriter::kTarget)));
    EXPECT_FALSE(fixture.reader().find(ufrag_key(SuspendedWriter::kTarget)));
    EXPECT_EQ(fixture.reader().payload(fixture.target()), nullptr);
    EXPECT_EQ(fixture.reader().claim(fixture.target(), 0, 0).status, ClaimStatus::kGone);
    // The index may still lead to the ended session; its successor is found past it.
    EXPECT_TRUE(
        fixture.reader().add_address(fixture.entry(0), address_key(SuspendedWriter::kTarget)).ok());
    EXPECT_EQ(fixture.reader().find(address_key(SuspendedWriter::kTarget)).entry, fixture.entry(0));
    fixture.finish();
    EXPECT_EQ(fixture.reader().find(address_key(SuspendedWriter::kTarget)).entry, fixture.entry(0));
  }
}

TEST(SuspendedWriterOfTheTable, InClaimHasDecidedAlready) {
  SuspendedWriter fixture;
  fixture.suspend(UpdateStep::kClaimed, [&](TableMember& member) {
    EXPECT_EQ(member.claim(fixture.target(), 7, 8).status, ClaimStatus::kWon);
  });
  fixture.expect_others_found();
  const Found found = fixture.reader().find(address_key(SuspendedWriter::kTarget));
  EXPECT_EQ(found.handle.shard(), 7u);
  EXPECT_EQ(fixture.reader().payload(fixture.target()), nullptr);
  EXPECT_EQ(fixture.reader().claim(fixture.target(), 1, 1).status, ClaimStatus::kAlready);
}

TEST(AssociationTable, ExactlyOneShardWinsEveryClaim) {
  constexpr std::uint32_t kShards = 3;
  constexpr std::uint32_t kRounds = 3000;
  std::atomic<int> alive{0};
  AssociationTable table({.max_sessions = 8, .key = {1, 1}});
  EntryRef entry;
  std::array<Claim, kShards> claims;
  std::uint32_t wrong = 0;
  TableMember signalling(table);
  std::uint32_t round = 0;
  signalling.pause();
  const auto between_rounds = [&]() noexcept {
    signalling.resume();
    if (round != 0) {
      std::uint32_t winners = 0;
      SessionHandle owner;
      for (std::uint32_t s = 0; s < kShards; ++s) {
        if (claims[s].status != ClaimStatus::kWon) continue;
        ++winners;
        owner = claims[s].handle;
        wrong += owner.shard() != s || owner.slot() != round;
      }
      wrong += winners != 1;
      for (const Claim& claim : claims) wrong += claim.handle != owner;
      wrong += signalling.find(ufrag_key(round)).handle != owner;
      wrong += !signalling.remove(entry, owner);
    }
    ++round;
    const UfragKey ufrag = ufrag_key(round);
    const TableResult made = signalling.create(&ufrag, payload(round, &alive));
    wrong += !made.ok();
    entry = made.entry;
    signalling.pause();
  };
  std::barrier barrier(kShards, between_rounds);
  std::vector<std::thread> shards;
  for (std::uint32_t s = 0; s < kShards; ++s) {
    shards.emplace_back([&, s] {
      TableMember member(table);
      for (std::uint32_t r = 1; r <= kRounds; ++r) {
        barrier.arrive_and_wait();
        claims[s] = member.claim(entry, s, r);
        member.quiescent();
      }
      member.pause();
      barrier.arrive_and_wait();
    });
  }
  for (std::thread& shard : shards) shard.join();
  EXPECT_EQ(wrong, 0u);
  EXPECT_LT(alive, 200);  // Payloads were freed along the way.
}

// A universe of keys: the first kStable belong to sessions that stay, the rest come and go. Whoever
// finds key n must find session n: slot, generation, payload and all. Updates are drawn out between
// their steps, so that threads meet there however they are scheduled.
class Churn {
 public:
  static constexpr std::uint32_t kStable = 40;
  static constexpr std::uint32_t kKeys = 120;

  Churn()
      : table_({.max_sessions = kKeys,
                .addresses_per_session = 2,
                .key = {3, 4},
                .on_step = &Churn::draw_out,
                .on_step_context = this}) {
    TableMember member(table_);
    for (std::uint32_t n = 0; n < kStable; ++n) {
      const EntryRef entry = make(member, n);
      if (n % 2 == 0) check(member.claim(entry, 1, n).status == ClaimStatus::kWon);
    }
  }

  void read(std::uint64_t seed) {
    TableMember member(table_);
    SeededRng rng(seed);
    for (std::uint64_t turn = 0; !stop_.load(std::memory_order_relaxed); ++turn) {
      for (int i = 0; i < 16; ++i) {
        const auto n = static_cast<std::uint32_t>(rng.below(kKeys));
        look(member, n, i % 2 == 0 ? member.find(ufrag_key(n)) : member.find(address_key(n)));
      }
      member.quiescent();
      if (turn % 100 == 0) {
        member.pause();
        std::this_thread::yield();
        member.resume();
      }
    }
  }

  // Each writer has keys of its own, as each session has one owner; readers claim now and
  // then. Goes on until enough has happened, however the threads are scheduled.
  void write(std::uint32_t writer, std::uint32_t writers) {
    TableMember member(table_);
    SeededRng rng(1000 + writer);
    for (int round = 0; round < 1500 || claims() < 200 || hits() < 10'000; ++round) {
      for (std::uint32_t n = kStable + writer; n < kKeys; n += writers) {
        const Found found = member.find(ufrag_key(n));
        if (!found) {
          make(member, n);
        } else if (rng.below(4) == 0) {
          member.remove_address(found.entry, address_key(n));
        } else if (rng.below(3) == 0) {
          (void)member.add_address(found.entry, address_key(n));
        } else if (!found.handle.is_claimed() || owned_[n].load() == word_of(found.entry)) {
          // May lose against a claim: then a later round ends it, for its owner.
          (void)member.remove(found.entry, found.handle);
        }
      }
      member.quiescent();
      if (round % 16 == 0) std::this_thread::yield();
    }
  }

  void stop() { stop_ = true; }
  std::uint64_t wrong() const { return wrong_; }
  std::uint64_t hits() const { return hits_; }
  std::uint64_t claims() const { return claims_; }
  int alive() const { return alive_; }
  const AssociationTable& table() const { return table_; }

 private:
  static std::uint64_t word_of(EntryRef entry) {
    return std::uint64_t{entry.generation} << 32 | entry.index;
  }
  static void draw_out(void* context, UpdateStep step) {
    auto* const churn = static_cast<Churn*>(context);
    const auto steps = churn->steps_.fetch_add(1, std::memory_order_relaxed);
    if (step == UpdateStep::kClaimed || steps % 64 == 0) std::this_thread::yield();
  }
  void check(bool good) { wrong_ += !good; }

  EntryRef make(TableMember& member, std::uint32_t n) {
    const UfragKey ufrag = ufrag_key(n);
    const TableResult made = member.create(&ufrag, payload(n, &alive_));
    if (!made.ok()) {
      check(made.status == TableStatus::kFull);  // Readers still hold what has ended.
      return {};
    }
    check(member.add_address(made.entry, address_key(n)).ok());
    return made.entry;
  }

  void look(TableMember& member, std::uint32_t n, const Found& found) {
    if (!found) return check(n >= kStable);
    hits_.fetch_add(1, std::memory_order_relaxed);
    check(found.handle.generation() == found.entry.generation);
    if (found.handle.is_claimed()) return check(found.handle.slot() == n);
    const PendingPayload* pending = member.payload(found.entry);
    if (pending != nullptr) check(number_of(pending) == n);
    if (n >= kStable && n % 7 == 0) {
      const Claim claim = member.claim(found.entry, 2, n);
      if (claim.status == ClaimStatus::kWon) {
        claims_.fetch_add(1, std::memory_order_relaxed);
        check(claim.payload != nullptr && number_of(claim.payload) == n);
        // From here on the owner, in whose name the writer acts, may end it.
        owned_[n].store(word_of(found.entry));
      }
    }
    // Still there, whatever happened since.
    if (pending != nullptr) check(number_of(pending) == n);
  }

  std::atomic<int> alive_{0};
  std::atomic<std::uint64_t> steps_{0};
  AssociationTable table_;
  // The session of each key whose claim has returned.
  std::array<std::atomic<std::uint64_t>, kKeys> owned_{};
  std::atomic<bool> stop_{false};
  std::atomic<std::uint64_t> wrong_{0};
  std::atomic<std::uint64_t> hits_{0};
  std::atomic<std::uint64_t> claims_{0};
};

TEST(AssociationTable, ReadersSeeWholeSessionsWhileWritersChurn) {
  constexpr std::uint32_t kWriters = 2;
  Churn churn;
  std::vector<std::thread> readers;
  for (std::uint64_t r = 0; r < 3; ++r) readers.emplace_back([&churn, r] { churn.read(r); });
  std::vector<std::thread> writers;
  for (std::uint32_t w = 0; w < kWriters; ++w) {
    writers.emplace_back([&churn, w] { churn.write(w, kWriters); });
  }
  for (std::thread& writer : writers) writer.join();
  churn.stop();
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(churn.wrong(), 0u);
}

}  // namespace
}  // namespace millrace::engine
