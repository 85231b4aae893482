// SPDX-License-Identifier: Apache-2.0
#include "engine/table/association_table.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/base/rng.h"
#include "engine/table/table_member.h"
#include "engine/table/table_test_support.h"

namespace millrace::engine {
namespace {

using table_test::address_key;
using table_test::number_of;
using table_test::payload;
using table_test::ufrag_key;

TableOptions small(std::size_t sessions, std::size_t addresses = 4) {
  return {.max_sessions = sessions, .addresses_per_session = addresses, .key = {11, 22}};
}

EntryRef create(TableMember& member, std::uint32_t n, std::atomic<int>* alive = nullptr) {
  const UfragKey ufrag = ufrag_key(n);
  const TableResult result = member.create(&ufrag, payload(n, alive));
  EXPECT_TRUE(result.ok());
  return result.entry;
}

TEST(AssociationTable, APendingSessionIsFoundByUfragAndByTheAddressesItGets) {
  AssociationTable table(small(4));
  TableMember member(table);
  EXPECT_FALSE(member.find(ufrag_key(1)));
  const EntryRef entry = create(member, 1);
  const Found found = member.find(ufrag_key(1));
  ASSERT_TRUE(found);
  EXPECT_EQ(found.entry, entry);
  EXPECT_TRUE(found.handle.is_pending());
  EXPECT_EQ(number_of(member.payload(entry)), 1u);
  EXPECT_FALSE(member.find(address_key(5)));
  ASSERT_TRUE(member.add_address(entry, address_key(5)).ok());
  ASSERT_TRUE(member.add_address(entry, address_key(6)).ok());
  EXPECT_EQ(member.find(address_key(5)), found);
  EXPECT_EQ(member.find(address_key(6)), found);
  EXPECT_EQ(table.size(), 1u);
}

TEST(AssociationTable, AClaimIsSeenThroughEveryKey) {
  AssociationTable table(small(4));
  TableMember member(table);
  const EntryRef entry = create(member, 1);
  ASSERT_TRUE(member.add_address(entry, address_key(5)).ok());
  const Claim claim = member.claim(entry, 3, 77);
  ASSERT_EQ(claim.status, ClaimStatus::kWon);
  EXPECT_EQ(number_of(claim.payload), 1u);
  for (const Found found : {member.find(ufrag_key(1)), member.find(address_key(5))}) {
    EXPECT_TRUE(found.handle.is_claimed());
    EXPECT_EQ(found.handle.shard(), 3u);
    EXPECT_EQ(found.handle.slot(), 77u);
    EXPECT_EQ(found.entry, entry);
  }
  EXPECT_EQ(member.payload(entry), nullptr);
  const Claim second = member.claim(entry, 4, 1);
  EXPECT_EQ(second.status, ClaimStatus::kAlready);
  EXPECT_EQ(second.handle, claim.handle);
}

TEST(AssociationTable, AnEndedSessionIsGoneFromEveryKeyAndToEveryCall) {
  AssociationTable table(small(4));
  TableMember member(table);
  const EntryRef entry = create(member, 1);
  ASSERT_TRUE(member.add_address(entry, address_key(5)).ok());
  const SessionHandle mine = member.claim(entry, 0, 0).handle;
  ASSERT_TRUE(member.remove(entry, mine));
  EXPECT_FALSE(member.find(ufrag_key(1)));
  EXPECT_FALSE(member.find(address_key(5)));
  EXPECT_FALSE(member.handle(entry));
  EXPECT_EQ(member.payload(entry), nullptr);
  EXPECT_EQ(member.add_address(entry, address_key(6)).status, TableStatus::kGone);
  EXPECT_FALSE(member.remove_address(entry, address_key(5)));
  EXPECT_EQ(member.claim(entry, 0, 0).status, ClaimStatus::kGone);
  EXPECT_FALSE(member.remove(entry, mine));
  EXPECT_EQ(table.size(), 0u);
  EXPECT_EQ(table.displaced_keys(), 0u);
}

TEST(AssociationTable, RemoveFailsWhenTheSessionWasClaimedMeanwhile) {
  AssociationTable table(small(4));
  TableMember member(table);
  const EntryRef entry = create(member, 1);
  const SessionHandle pending = member.find(ufrag_key(1)).handle;
  EXPECT_EQ(member.claim(entry, 1, 2).status, ClaimStatus::kWon);
  EXPECT_FALSE(member.remove(entry, pending));
  EXPECT_TRUE(member.find(ufrag_key(1)).handle.is_claimed());
}

TEST(AssociationTable, ARefOfAnEarlierSessionDoesNotReachALaterOne) {
  AssociationTable table(small(1));
  TableMember member(table);
  const EntryRef first = create(member, 1);
  ASSERT_TRUE(member.remove(first, member.handle(first)));
  member.quiescent();
  const EntryRef second = create(member, 2);
  EXPECT_EQ(second.index, first.index);
  EXPECT_NE(second.generation, first.generation);
  EXPECT_FALSE(member.handle(first));
  EXPECT_EQ(member.claim(first, 0, 0).status, ClaimStatus::kGone);
  EXPECT_EQ(member.add_address(first, address_key(1)).status, TableStatus::kGone);
  EXPECT_TRUE(member.handle(second).is_pending());
  EXPECT_FALSE(member.handle(EntryRef{}));
}

TEST(AssociationTable, AKeyBelongsToTheFirstWhoTookIt) {
  std::atomic<int> alive{0};
  AssociationTable table(small(4));
  TableMember member(table);
  const EntryRef a = create(member, 1, &alive);
  const EntryRef b = create(member, 2, &alive);
  ASSERT_TRUE(member.add_address(a, address_key(5)).ok());
  EXPECT_TRUE(member.add_address(a, address_key(5)).ok());  // Again is no change.
  const TableResult stolen = member.add_address(b, address_key(5));
  EXPECT_EQ(stolen.status, TableStatus::kTaken);
  EXPECT_EQ(stolen.holder.entry, a);
  const UfragKey ufrag = ufrag_key(1);
  const TableResult twin = member.create(&ufrag, payload(9, &alive));
  EXPECT_EQ(twin.status, TableStatus::kTaken);
  EXPECT_EQ(twin.holder.entry, a);
  EXPECT_EQ(alive, 2);
  EXPECT_EQ(table.size(), 2u);
  ASSERT_TRUE(member.remove_address(a, address_key(5)));
  EXPECT_FALSE(member.remove_address(a, address_key(5)));
  EXPECT_TRUE(member.add_address(b, address_key(5)).ok());
  EXPECT_EQ(member.find(address_key(5)).entry, b);
}

TEST(AssociationTable, ScopesKeepTheSameRemoteAddressApart) {
  AssociationTable table(small(4));
  TableMember member(table);
  const EntryRef a = create(member, 1);
  const EntryRef b = create(member, 2);
  const Address remote = Address::parse("192.0.2.1:5000").value();
  ASSERT_TRUE(member.add_address(a, AddressKey(remote, 1)).ok());
  ASSERT_TRUE(member.add_address(b, AddressKey(remote, 2)).ok());
  EXPECT_EQ(member.find(AddressKey(remote, 1)).entry, a);
  EXPECT_EQ(member.find(AddressKey(remote, 2)).entry, b);
  EXPECT_FALSE(member.find(AddressKey(remote, 3)));
}

TEST(AssociationTable, ASessionWithoutIceLivesByItsAddressAlone) {
  AssociationTable table(small(2));
  TableMember member(table);
  const TableResult made = member.create(nullptr, payload(1));
  ASSERT_TRUE(made.ok());
  ASSERT_TRUE(member.add_address(made.entry, address_key(1)).ok());
  EXPECT_TRUE(member.find(address_key(1)).handle.is_pending());
  ASSERT_TRUE(member.remove(made.entry, member.handle(made.entry)));
  EXPECT_FALSE(member.find(address_key(1)));
}

TEST(AssociationTable, AddressesOfASessionAreBounded) {
  AssociationTable table(small(2, 3));
  TableMember member(table);
  const EntryRef entry = create(member, 1);
  for (std::uint32_t n = 0; n < 3; ++n) {
    ASSERT_TRUE(member.add_address(entry, address_key(n)).ok());
  }
  EXPECT_EQ(member.add_address(entry, address_key(3)).status, TableStatus::kTooManyAddresses);
  ASSERT_TRUE(member.remove_address(entry, address_key(1)));
  EXPECT_TRUE(member.add_address(entry, address_key(3)).ok());
  EXPECT_TRUE(member.find(address_key(0)));
  EXPECT_FALSE(member.find(address_key(1)));
  EXPECT_TRUE(member.find(address_key(3)));
}

TEST(AssociationTable, APeerThatMovesForEverNeedsOnlyQuiescence) {
  AssociationTable table(small(2, 2));
  TableMember owner(table);
  TableMember reader(table);
  const EntryRef entry = create(owner, 1);
  ASSERT_TRUE(owner.add_address(entry, address_key(0)).ok());
  std::uint32_t n = 0;
  // Without quiescence the places run out, with a clean verdict.
  TableStatus status = TableStatus::kOk;
  for (; n < 100 && status == TableStatus::kOk; ++n) {
    status = owner.add_address(entry, address_key(n + 1)).status;
    if (status != TableStatus::kOk) break;
    ASSERT_TRUE(owner.remove_address(entry, address_key(n)));
  }
  EXPECT_EQ(status, TableStatus::kFull);
  EXPECT_TRUE(owner.find(address_key(n)));
  for (int round = 0; round < 1000; ++round, ++n) {
    owner.quiescent();
    reader.quiescent();
    ASSERT_TRUE(owner.add_address(entry, address_key(n + 1)).ok());
    ASSERT_TRUE(owner.remove_address(entry, address_key(n)));
    ASSERT_EQ(owner.find(address_key(n + 1)).entry, entry);
    ASSERT_FALSE(owner.find(address_key(n)));
  }
}

TEST(AssociationTable, AFullTableSaysSoAndTakesNewSessionsOnceNoReaderCanHoldTheOld) {
  constexpr std::uint32_t kSessions = 100;
  std::atomic<int> alive{0};
  AssociationTable table(small(kSessions));
  TableMember member(table);
  TableMember reader(table);
  std::vector<EntryRef> entries;
  for (std::uint32_t n = 0; n < kSessions; ++n) entries.push_back(create(member, n, &alive));
  const UfragKey extra = ufrag_key(1000);
  EXPECT_EQ(member.create(&extra, payload(1000, &alive)).status, TableStatus::kFull);
  EXPECT_EQ(alive, static_cast<int>(kSessions));
  ASSERT_TRUE(member.remove(entries[7], member.handle(entries[7])));
  member.quiescent();
  EXPECT_EQ(member.create(&extra, payload(1000, &alive)).status, TableStatus::kFull);
  reader.quiescent();
  EXPECT_TRUE(member.create(&extra, payload(1000, &alive)).ok());
  for (std::uint32_t n = 0; n < kSessions; ++n) {
    EXPECT_EQ(static_cast<bool>(member.find(ufrag_key(n))), n != 7);
  }
}

TEST(AssociationTable, APausedMemberHoldsNothingUp) {
  AssociationTable table(small(1));
  TableMember member(table);
  TableMember sleeper(table);
  sleeper.pause();
  const EntryRef entry = create(member, 1);
  ASSERT_TRUE(member.remove(entry, member.handle(entry)));
  member.quiescent();
  create(member, 2);
  sleeper.resume();
  EXPECT_TRUE(sleeper.find(ufrag_key(2)));
}

TEST(AssociationTable, APayloadOutlivesItsClaimUntilEveryReaderIsQuiescent) {
  std::atomic<int> alive{0};
  AssociationTable table(small(2));
  TableMember owner(table);
  TableMember reader(table);
  const EntryRef entry = create(owner, 1, &alive);
  const PendingPayload* seen = reader.payload(entry);
  EXPECT_EQ(owner.claim(entry, 0, 0).payload, seen);
  owner.quiescent();
  EXPECT_EQ(alive, 1);
  EXPECT_EQ(number_of(seen), 1u);
  reader.quiescent();
  owner.quiescent();
  EXPECT_EQ(alive, 0);
  EXPECT_TRUE(owner.handle(entry).is_claimed());
}

TEST(AssociationTable, NoPayloadIsLeaked) {
  std::atomic<int> alive{0};
  {
    AssociationTable table(small(4));
    {
      TableMember member(table);
      create(member, 1, &alive);                           // Still pending at the end.
      const EntryRef claimed = create(member, 2, &alive);  // Retired by a member that leaves.
      EXPECT_EQ(member.claim(claimed, 0, 0).status, ClaimStatus::kWon);
      const EntryRef expired = create(member, 3, &alive);
      EXPECT_TRUE(member.remove(expired, member.handle(expired)));
    }
    TableMember other(table);
    create(other, 4, &alive);
    EXPECT_EQ(alive, 2);  // Those of the member that left were freed meanwhile.
  }
  EXPECT_EQ(alive, 0);
}

TEST(AssociationTable, ABatchFindsWhatSingleLookUpsFind) {
  AssociationTable table(small(300));
  TableMember member(table);
  std::vector<AddressKey> keys;
  for (std::uint32_t n = 0; n < 200; ++n) {
    if (n % 3 != 1) {
      EXPECT_TRUE(member.add_address(create(member, n), address_key(n)).ok());
    }
    keys.push_back(address_key(n));
  }
  std::vector<Found> found(keys.size());
  member.find_batch(keys, found);
  for (std::uint32_t n = 0; n < 200; ++n) {
    EXPECT_EQ(found[n], member.find(keys[n]));
    EXPECT_EQ(static_cast<bool>(found[n]), n % 3 != 1);
  }
}

// An attacker who knows the hash fills one bucket; under a key that they do not know the same
// addresses spread like any others.
TEST(AssociationTable, AddressesChosenToCollideUnderAnotherKeyDoNotCluster) {
  constexpr std::uint32_t kKeys = 1000;
  const SipKey known{};
  std::vector<AddressKey> chosen;
  for (std::uint32_t n = 0; chosen.size() < kKeys; ++n) {
    Address address;
    address.ip = IpAddress::v4(198, 51, 100, 7);
    address.ip.bytes[1] = static_cast<std::uint8_t>(n >> 16);
    address.ip.bytes[2] = static_cast<std::uint8_t>(n >> 24);
    address.port = static_cast<std::uint16_t>(n);
    const AddressKey key(address);
    if ((key.hash(known) & 0xff) == 0) chosen.push_back(key);
  }
  const auto displaced_under = [&](SipKey key) {
    TableOptions options = small(kKeys, 1);
    options.key = key;
    AssociationTable table(options);
    TableMember member(table);
    for (const AddressKey& address : chosen) {
      const TableResult made = member.create(nullptr, nullptr);
      EXPECT_TRUE(member.add_address(made.entry, address).ok());
    }
    for (const AddressKey& address : chosen) EXPECT_TRUE(member.find(address));
    return table.displaced_keys();
  };
  EXPECT_GT(displaced_under(known), kKeys / 2);
  EXPECT_LT(displaced_under({0x1234, 0x5678}), kKeys / 20);
  EXPECT_LT(displaced_under({0, 1}), kKeys / 20);
}

// One session of the model.
struct ModelSession {
  EntryRef entry;
  SessionHandle handle;
  std::uint32_t ufrag = 0;
  std::set<std::uint32_t> addresses;
};

// Model is the table as two standard maps; `step` does one random operation on both.
class Model {
 public:
  explicit Model(std::uint64_t seed)
      : rng_(seed), table_(small(kSessions, kAddresses)), member_(table_) {}

  void step() {
    const std::uint32_t ufrag = pick();
    const auto it = by_ufrag_.find(ufrag);
    if (it == by_ufrag_.end()) return create(ufrag);
    ModelSession& session = it->second;
    switch (rng_.below(6)) {
      case 0:
        return remove(ufrag);
      case 1:
        return claim(session);
      case 2:
        return remove_address(session, pick());
      default:
        return add_address(session, pick());
    }
  }

  void check() {
    member_.quiescent();
    for (std::uint32_t n = 0; n < kUniverse; ++n) {
      const Found by_ufrag = member_.find(ufrag_key(n));
      const auto it = by_ufrag_.find(n);
      ASSERT_EQ(static_cast<bool>(by_ufrag), it != by_ufrag_.end());
      if (by_ufrag) {
        ASSERT_EQ(by_ufrag, (Found{it->second.handle, it->second.entry}));
      }
      const Found by_address = member_.find(address_key(n));
      const auto holder = by_address_.find(n);
      ASSERT_EQ(static_cast<bool>(by_address), holder != by_address_.end());
      if (by_address) {
        const ModelSession& session = by_ufrag_.at(holder->second);
        ASSERT_EQ(by_address, (Found{session.handle, session.entry}));
      }
    }
    ASSERT_EQ(table_.size(), by_ufrag_.size());
  }

 private:
  static constexpr std::uint32_t kUniverse = 150;
  static constexpr std::size_t kSessions = 100;
  static constexpr std::size_t kAddresses = 3;

  std::uint32_t pick() { return static_cast<std::uint32_t>(rng_.below(kUniverse)); }

  void create(std::uint32_t ufrag) {
    member_.quiescent();
    const UfragKey key = ufrag_key(ufrag);
    const TableResult result = member_.create(&key, payload(ufrag));
    ASSERT_EQ(result.status, by_ufrag_.size() == kSessions ? TableStatus::kFull : TableStatus::kOk);
    if (!result.ok()) return;
    by_ufrag_[ufrag] = {result.entry, SessionHandle::pending(result.entry.generation), ufrag, {}};
  }
  void remove(std::uint32_t ufrag) {
    const ModelSession& session = by_ufrag_.at(ufrag);
    ASSERT_TRUE(member_.remove(session.entry, session.handle));
    for (const std::uint32_t address : session.addresses) by_address_.erase(address);
    by_ufrag_.erase(ufrag);
  }
  void claim(ModelSession& session) {
    const auto shard = static_cast<std::uint32_t>(rng_.below(4));
    const Claim claim = member_.claim(session.entry, shard, session.ufrag);
    ASSERT_EQ(claim.status,
              session.handle.is_pending() ? ClaimStatus::kWon : ClaimStatus::kAlready);
    if (claim.status == ClaimStatus::kWon) {
      session.handle = SessionHandle::claimed(shard, session.ufrag, session.entry.generation);
    }
    ASSERT_EQ(claim.handle, session.handle);
  }
  void add_address(ModelSession& session, std::uint32_t address) {
    member_.quiescent();
    const TableResult result = member_.add_address(session.entry, address_key(address));
    const auto holder = by_address_.find(address);
    if (holder != by_address_.end()) {
      ASSERT_EQ(result.status,
                holder->second == session.ufrag ? TableStatus::kOk : TableStatus::kTaken);
    } else if (session.addresses.size() == kAddresses) {
      ASSERT_EQ(result.status, TableStatus::kTooManyAddresses);
    } else {
      ASSERT_EQ(result.status, TableStatus::kOk);
      session.addresses.insert(address);
      by_address_[address] = session.ufrag;
    }
  }
  void remove_address(ModelSession& session, std::uint32_t address) {
    const bool had = session.addresses.erase(address) == 1;
    ASSERT_EQ(member_.remove_address(session.entry, address_key(address)), had);
    if (had) by_address_.erase(address);
  }

  SeededRng rng_;
  AssociationTable table_;
  TableMember member_;
  std::unordered_map<std::uint32_t, ModelSession> by_ufrag_;
  std::unordered_map<std::uint32_t, std::uint32_t> by_address_;
};

TEST(AssociationTable, AgreesWithStandardMapsUnderRandomOperations) {
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    SCOPED_TRACE(seed);
    Model model(seed);
    for (int step = 0; step < 4000 && !testing::Test::HasFatalFailure(); ++step) {
      model.step();
      if (step % 50 == 0) model.check();
    }
    model.check();
    ASSERT_FALSE(testing::Test::HasFatalFailure());
  }
}

}  // namespace
}  // namespace millrace::engine
