// SPDX-License-Identifier: Apache-2.0
#include "engine/table/table_key.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "engine/table/session_handle.h"

namespace millrace::engine {
namespace {

constexpr SipKey kKey{1, 2};

AddressKey key_of(const char* text, LocalScope scope = 0) {
  return AddressKey(Address::parse(text).value(), scope);
}

TEST(AddressKey, EveryPartOfAnAddressCounts) {
  std::set<KeyWords> seen;
  std::set<std::uint64_t> hashes;
  int n = 0;
  for (const char* text : {"192.0.2.1:1000", "192.0.2.1:1001", "192.0.2.2:1000",
                           "[2001:db8::1]:1000", "[2001:db8::1]:1001", "[2001:db8::2]:1000",
                           "[2001:db9::1]:1000", "[::]:1000", "[::1]:1000", "0.0.0.0:1000"}) {
    for (const LocalScope scope : {LocalScope{0}, LocalScope{1}, LocalScope{0xffff}}) {
      seen.insert(key_of(text, scope).words());
      hashes.insert(key_of(text, scope).hash(kKey));
      ++n;
    }
  }
  Address scoped = Address::parse("[fe80::1]:1000").value();
  seen.insert(AddressKey(scoped).words());
  scoped.ip.scope_id = 3;
  seen.insert(AddressKey(scoped).words());
  EXPECT_EQ(seen.size(), static_cast<std::size_t>(n) + 2);
  EXPECT_EQ(hashes.size(), static_cast<std::size_t>(n));
}

TEST(AddressKey, NeitherFamilyCanForgeAKeyOfTheOther) {
  // The IPv6 address whose bytes are what an IPv4 key holds, and with its scope id.
  Address forged = Address::parse("[::]:1000").value();
  forged.ip.scope_id = 0xc0000201;
  EXPECT_NE(AddressKey(forged), key_of("192.0.2.1:1000"));
}

TEST(UfragKey, IsExactlyTheText) {
  const auto key = [](std::string_view text) { return UfragKey::parse(text).value().words(); };
  EXPECT_EQ(key("abcd"), key("abcd"));
  EXPECT_NE(key("abcd"), key("abce"));
  EXPECT_NE(key("abcd"), key(std::string_view("abcd\0", 5)));
  EXPECT_NE(key("Abcd"), key("abcd"));  // RFC 8839 §5.4: ufrags are case-sensitive.
}

TEST(UfragKey, RefusesWhatIsNeverOurs) {
  EXPECT_FALSE(UfragKey::parse(""));
  EXPECT_TRUE(UfragKey::parse(std::string(UfragKey::kMaxBytes, 'x')));
  EXPECT_FALSE(UfragKey::parse(std::string(UfragKey::kMaxBytes + 1, 'x')));
  EXPECT_FALSE(UfragKey::parse(std::string(256, 'x')));
}

TEST(SessionHandle, KeepsItsParts) {
  constexpr SessionHandle kHandle = SessionHandle::claimed(255, (1u << 24) - 1, (1u << 30) - 1);
  EXPECT_TRUE(kHandle.is_claimed());
  EXPECT_EQ(kHandle.shard(), 255u);
  EXPECT_EQ(kHandle.slot(), (1u << 24) - 1);
  EXPECT_EQ(kHandle.generation(), (1u << 30) - 1);
  EXPECT_EQ(SessionHandle::from_bits(kHandle.bits()), kHandle);
  EXPECT_TRUE(SessionHandle::pending(5).is_pending());
  EXPECT_EQ(SessionHandle::pending(5).generation(), 5u);
  EXPECT_FALSE(SessionHandle::none(5));
  EXPECT_FALSE(SessionHandle());
}

}  // namespace
}  // namespace millrace::engine
