// SPDX-License-Identifier: Apache-2.0
#include "crypto/record_codec.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "crypto/dtls_test_support.h"
#include "engine/base/rng.h"

namespace millrace::crypto {
namespace {

std::vector<AeadBackend> backends() {
  std::vector<AeadBackend> present;
  std::copy_if(std::begin(kBackends), std::end(kBackends), std::back_inserter(present),
               backend_available);
  return present;
}

// Keys of counting bytes; the same in both directions, so that an end opens its own.
TrafficKeys keys_of(CipherSuite suite, std::uint64_t write_sequence = 0) {
  TrafficKeys keys;
  keys.suite = suite;
  keys.write_sequence = write_sequence;
  for (std::size_t i = 0; i < keys.write.key.size(); ++i) {
    keys.write.key[i] = static_cast<std::uint8_t>(i);
  }
  for (std::size_t i = 0; i < shape_of(suite).fixed_iv_bytes; ++i) {
    keys.write.iv[i] = static_cast<std::uint8_t>(0x40 + i);
  }
  keys.read = keys.write;
  return keys;
}

Bytes sealed(RecordKeys& keys, ByteSpan plaintext,
             ContentType type = ContentType::kApplicationData) {
  Bytes record(keys.overhead() + plaintext.size());
  std::copy(plaintext.begin(), plaintext.end(),
            record.begin() + static_cast<std::ptrdiff_t>(keys.header_bytes()));
  SealJob job{.keys = &keys,
              .record = record.data(),
              .plaintext_length = static_cast<std::uint32_t>(plaintext.size()),
              .type = type};
  seal_batch({&job, 1});
  record.resize(job.record_length);
  return record;
}

OpenJob opened(RecordKeys& keys, MutableByteSpan record) {
  OpenJob job{.keys = &keys, .record = record, .tag = {}, .plaintext = {}};
  open_batch({&job, 1});
  return job;
}

Bytes pattern(std::size_t n, std::uint64_t seed) {
  Bytes bytes(n);
  SeededRng rng(seed);
  rng.fill(bytes);
  return bytes;
}

// Made with another implementation (Python's cryptography): key 00 01 .., IV 40 41 ..,
// epoch 1, number 0x0123456789ab.
constexpr const char* kText = "The mill goes with the stream.";
constexpr const char* kGolden[] = {
    "17fefd00010123456789ab003600010123456789ab630913140c2cf69b61c3db51bae6572ad37d8e10f041060f6e6e"
    "ad0d4f85615fcc298520b2a784ea5de4fb332577",
    "17fefd00010123456789ab003600010123456789ab8ecf4cdd9e24e60da966fae3f68598661e1f5d02052144437fed"
    "4ea5c0fcd4e9dd4db75ac42dbd79b439db7c6e06",
    "17fefd00010123456789ab002e5aa9a9471d6a32a549e3aba27890fa2400322ccf8de74950591ca2289c245b25d4d5"
    "1fb2693a06b658121165e90c",
};

TEST(RecordCodec, SealsAndOpensTheGoldenOfEachSuiteWithEachBackend) {  // RFC 5288 §3, RFC 7905 §2
  for (const AeadBackend backend : backends()) {
    for (std::size_t i = 0; i < 3; ++i) {
      RecordKeysPool pool(backend);
      const RecordKeysPtr keys = pool.make(keys_of(kSuites[i], 0x0123456789ab));
      EXPECT_EQ(to_hex(sealed(*keys, bytes_of(kText))), kGolden[i]);
      Bytes record = from_hex(kGolden[i]);
      const OpenJob job = opened(*keys, record);
      ASSERT_EQ(job.verdict, OpenVerdict::kOpened);
      EXPECT_EQ(to_hex(job.plaintext), to_hex(bytes_of(kText)));
      EXPECT_EQ(job.plaintext.data(), record.data() + keys->header_bytes());
    }
  }
}

// Every size and, crosswise, each opens what the other sealed.
void expect_the_same_bytes(CipherSuite suite, AeadBackend backend) {
  std::vector<std::size_t> sizes;
  for (std::size_t n = 0; n <= 1500; ++n) sizes.push_back(n);
  for (const std::size_t n : {4096u, 9000u, 16383u, 16384u}) sizes.push_back(n);
  RecordKeysPool reference_pool(AeadBackend::kBoringSsl);
  RecordKeysPool pool(backend);
  const RecordKeysPtr reference = reference_pool.make(keys_of(suite));
  const RecordKeysPtr keys = pool.make(keys_of(suite));
  for (const std::size_t n : sizes) {
    const Bytes plaintext = pattern(n, n);
    Bytes one = sealed(*reference, plaintext);
    Bytes other = sealed(*keys, plaintext);
    ASSERT_EQ(one, other) << n;
    const OpenJob a = opened(*keys, one);
    const OpenJob b = opened(*reference, other);
    ASSERT_EQ(a.verdict, OpenVerdict::kOpened) << n;
    ASSERT_EQ(b.verdict, OpenVerdict::kOpened) << n;
    ASSERT_TRUE(
        std::equal(plaintext.begin(), plaintext.end(), a.plaintext.begin(), a.plaintext.end()));
    ASSERT_TRUE(
        std::equal(plaintext.begin(), plaintext.end(), b.plaintext.begin(), b.plaintext.end()));
  }
}

TEST(RecordCodec, GivesTheSameBytesWithEveryBackendAtEverySize) {
  for (const AeadBackend backend : backends()) {
    for (const CipherSuite suite : kSuites) {
      SCOPED_TRACE(backend_name(backend));
      expect_the_same_bytes(suite, backend);
    }
  }
}

// The same record, the middle of the plaintext being lent. What lies in its place is nothing.
TEST(RecordCodec, SealsWhatItIsLent) {
  for (const AeadBackend backend : backends()) {
    for (const CipherSuite suite : kSuites) {
      RecordKeysPool pool(backend);
      const RecordKeysPtr reference = pool.make(keys_of(suite));
      const RecordKeysPtr keys = pool.make(keys_of(suite));
      const bool own = backend == AeadBackend::kVaes || backend == AeadBackend::kVaes512;
      EXPECT_EQ(keys->takes_lent(), own && suite != CipherSuite::kChaCha20Poly1305Sha256);
      if (!keys->takes_lent()) continue;
      for (std::size_t n = 192; n < 1500; n += 7) {
        const Bytes plaintext = pattern(n, n);
        const auto size = static_cast<std::uint32_t>(n / 64 * 64 - 64);
        const Bytes lent(plaintext.begin() + 64, plaintext.begin() + 64 + size);
        Bytes record(keys->overhead() + n);
        const auto data = record.begin() + static_cast<std::ptrdiff_t>(keys->header_bytes());
        std::ranges::copy(plaintext, data);
        std::fill_n(data + 64, size, std::uint8_t{0xee});
        SealJob job{.keys = keys.get(),
                    .record = record.data(),
                    .plaintext_length = static_cast<std::uint32_t>(n),
                    .lent = {.data = lent.data(), .at = 64, .size = size}};
        seal_batch({&job, 1});
        ASSERT_EQ(job.record_length, record.size());
        ASSERT_EQ(record, sealed(*reference, plaintext)) << n;
      }
    }
  }
}

TEST(RecordCodec, RefusesEveryFlippedBitAndEveryTruncation) {
  for (const AeadBackend backend : backends()) {
    for (const CipherSuite suite : kSuites) {
      RecordKeysPool pool(backend);
      const RecordKeysPtr keys = pool.make(keys_of(suite));
      const Bytes record = sealed(*keys, pattern(40, 1));
      for (std::size_t bit = 0; bit < record.size() * 8; ++bit) {
        // The length field is the reader's to check.
        if (bit / 8 == 11 || bit / 8 == 12) continue;
        Bytes forged = record;
        forged[bit / 8] = static_cast<std::uint8_t>(forged[bit / 8] ^ (1u << bit % 8));
        EXPECT_EQ(opened(*keys, forged).verdict, OpenVerdict::kUnauthentic) << bit;
      }
      for (std::size_t n = 13; n < record.size(); ++n) {
        Bytes cut(record.begin(), record.begin() + static_cast<std::ptrdiff_t>(n));
        EXPECT_EQ(opened(*keys, cut).verdict, OpenVerdict::kUnauthentic) << n;
      }
      Bytes untouched = record;
      EXPECT_EQ(opened(*keys, untouched).verdict, OpenVerdict::kOpened);
    }
  }
}

TEST(RecordCodec, DoesNotLetAForgeryMoveTheReplayWindow) {  // RFC 6347 §4.1.2.6
  RecordKeysPool pool;
  const RecordKeysPtr keys = pool.make(keys_of(CipherSuite::kAes128GcmSha256));
  Bytes genuine = sealed(*keys, bytes_of("a"));
  Bytes forged = genuine;
  store_be48(forged.data() + 5, kMaxSequence);
  EXPECT_EQ(opened(*keys, forged).verdict, OpenVerdict::kUnauthentic);
  EXPECT_EQ(opened(*keys, genuine).verdict, OpenVerdict::kOpened);
}

TEST(RecordCodec, PassesOneOfTwoCopiesInABatch) {
  for (const CipherSuite suite : kSuites) {
    RecordKeysPool pool;
    const RecordKeysPtr keys = pool.make(keys_of(suite));
    Bytes first = sealed(*keys, bytes_of("once"));
    Bytes second = first;
    std::array<OpenJob, 2> jobs = {
        OpenJob{.keys = keys.get(), .record = first, .tag = {}, .plaintext = {}},
        OpenJob{.keys = keys.get(), .record = second, .tag = {}, .plaintext = {}}};
    open_batch(jobs);
    EXPECT_EQ(jobs[0].verdict, OpenVerdict::kOpened);
    EXPECT_EQ(jobs[1].verdict, OpenVerdict::kReplayed);
    EXPECT_TRUE(jobs[1].plaintext.empty());
  }
}

TEST(RecordCodec, OpensABurstOfManySessionsOutOfOrder) {
  RecordKeysPool pool;
  std::vector<RecordKeysPtr> sessions;
  std::vector<std::pair<RecordKeys*, Bytes>> records;
  for (int s = 0; s < 40; ++s) {
    TrafficKeys keys = keys_of(kSuites[s % 3]);
    keys.write.key[0] = keys.read.key[0] = static_cast<std::uint8_t>(s);
    sessions.push_back(pool.make(keys));
    for (int i = 0; i < 20; ++i) {
      records.emplace_back(sessions.back().get(),
                           sealed(*sessions.back(), pattern(static_cast<std::size_t>(i * 61), 3)));
    }
  }
  std::reverse(records.begin(), records.end());
  std::vector<OpenJob> jobs;
  for (auto& [keys, record] : records) {
    jobs.push_back({.keys = keys, .record = record, .tag = {}, .plaintext = {}});
  }
  open_batch(jobs);
  for (const OpenJob& job : jobs) EXPECT_EQ(job.verdict, OpenVerdict::kOpened);
}

TEST(RecordCodec, NumbersTheRecordsOfABatchInOrder) {
  RecordKeysPool pool;
  const RecordKeysPtr keys = pool.make(keys_of(CipherSuite::kAes128GcmSha256, 5));
  std::array<std::array<std::uint8_t, 64>, 8> slots{};
  std::vector<SealJob> jobs;
  for (auto& slot : slots) {
    jobs.push_back({.keys = keys.get(), .record = slot.data(), .plaintext_length = 3});
  }
  seal_batch(jobs);
  for (std::size_t i = 0; i < slots.size(); ++i) {
    EXPECT_EQ(load_be48(slots[i].data() + 5), 5 + i);
    // The nonce's explicit part is epoch and sequence: CVE-2026-26014 drew it at random.
    EXPECT_EQ(load_be64(slots[i].data() + 13), (std::uint64_t{1} << 48) + 5 + i);
    EXPECT_EQ(jobs[i].record_length, 40u);
  }
}

TEST(RecordCodec, SealsNothingPastTheLastNumber) {
  RecordKeysPool pool;
  const RecordKeysPtr keys = pool.make(keys_of(CipherSuite::kChaCha20Poly1305Sha256, kMaxSequence));
  EXPECT_FALSE(keys->worn_out());
  EXPECT_EQ(sealed(*keys, bytes_of("last")).size(), 4 + keys->overhead());
  EXPECT_TRUE(keys->worn_out());
  EXPECT_TRUE(sealed(*keys, bytes_of("one too many")).empty());
}

TEST(RecordCodec, WearsOutByBlocksAndByForgeries) {  // RFC 9147 §4.5.3
  RecordKeysPool pool(best_backend(), {.sealed_blocks = 10, .forgeries = 3});
  const RecordKeysPtr by_blocks = pool.make(keys_of(CipherSuite::kAes128GcmSha256));
  EXPECT_FALSE(sealed(*by_blocks, pattern(144, 1)).empty());
  EXPECT_TRUE(by_blocks->worn_out());
  EXPECT_TRUE(sealed(*by_blocks, pattern(1, 1)).empty());

  const RecordKeysPtr by_forgeries = pool.make(keys_of(CipherSuite::kAes128GcmSha256));
  const Bytes record = sealed(*by_forgeries, bytes_of("x"));
  for (int i = 0; i < 3; ++i) {
    EXPECT_FALSE(by_forgeries->worn_out());
    Bytes forged = record;
    forged.back() ^= 1;
    opened(*by_forgeries, forged);
  }
  EXPECT_TRUE(by_forgeries->worn_out());
}

TEST(RecordCodec, KeepsTheContentTypeUnderTheSeal) {
  RecordKeysPool pool;
  const RecordKeysPtr keys = pool.make(keys_of(CipherSuite::kAes128GcmSha256));
  Bytes alert = sealed(*keys, bytes_of("ab"), ContentType::kAlert);
  Bytes disguised = alert;
  disguised[0] = 23;
  EXPECT_EQ(opened(*keys, disguised).verdict, OpenVerdict::kUnauthentic);
  EXPECT_EQ(opened(*keys, alert).type, ContentType::kAlert);
}

// RFC 8899 §4.6.1: what only the two ends know of a record that is quoted.
TEST(RecordKeys, KnowsWhatItMayHaveSealedByTheHeader) {
  RecordKeysPool pool;
  const RecordKeysPtr keys = pool.make(keys_of(CipherSuite::kAes128GcmSha256));
  Bytes record;
  for (int i = 0; i < 3; ++i) record = sealed(*keys, bytes_of("hello"));
  const auto known = [&](const Bytes& head, std::size_t bytes) {
    return keys->may_have_sealed(head, bytes);
  };
  EXPECT_TRUE(known(record, record.size()));
  EXPECT_TRUE(known(Bytes(record.begin(), record.begin() + 13), record.size()));
  for (std::size_t n = 0; n < 13; ++n) {
    EXPECT_FALSE(known(Bytes(record.begin(), record.begin() + static_cast<int>(n)), record.size()));
  }
  for (const std::size_t bytes : {record.size() - 1, record.size() + 1, std::size_t{12},
                                  std::size_t{0}, record.size() + 65536}) {
    EXPECT_FALSE(known(record, bytes)) << bytes;
  }
  // Type, version, epoch, a number that is still to come, length.
  for (std::size_t at = 0; at < 13; ++at) {
    Bytes other = record;
    other[at] = static_cast<std::uint8_t>(other[at] ^ 0x40);
    EXPECT_FALSE(known(other, record.size())) << at;
  }
  Bytes next = record;
  ++next[10];
  EXPECT_FALSE(known(next, record.size()));
  Bytes earlier = record;
  --earlier[10];
  EXPECT_TRUE(known(earlier, record.size()));
}

// RFC 9146 §6: in what order records come tells nothing of their order.
TEST(RecordKeys, KnowTheNewestOfTheRecordsThatOpened) {
  for (const CipherSuite suite : kSuites) {
    RecordKeysPool pool;
    const RecordKeysPtr keys = pool.make(keys_of(suite));
    std::vector<Bytes> records;
    for (int i = 0; i < 4; ++i) records.push_back(sealed(*keys, pattern(40, 1)));
    ASSERT_EQ(opened(*keys, records[0]).verdict, OpenVerdict::kOpened);
    EXPECT_TRUE(keys->is_newest(records[0]));
    ASSERT_EQ(opened(*keys, records[2]).verdict, OpenVerdict::kOpened);
    ASSERT_EQ(opened(*keys, records[1]).verdict, OpenVerdict::kOpened);
    EXPECT_FALSE(keys->is_newest(records[0]));
    EXPECT_FALSE(keys->is_newest(records[1]));
    EXPECT_TRUE(keys->is_newest(records[2]));
    records[3].back() ^= 1;
    ASSERT_EQ(opened(*keys, records[3]).verdict, OpenVerdict::kUnauthentic);
    EXPECT_TRUE(keys->is_newest(records[2]));
  }
}

TEST(RecordKeysPool, ReusesWhatCameBackAndStaysSmall) {
  // The bound on an idle session's memory counts on this.
  EXPECT_LE(sizeof(RecordKeys), 2432u);
  RecordKeysPool pool;
  RecordKeysPtr keys = pool.make(keys_of(CipherSuite::kAes128GcmSha256));
  const RecordKeys* const first = keys.get();
  keys.reset();
  EXPECT_EQ(pool.in_use(), 0u);
  const RecordKeysPtr again = pool.make(keys_of(CipherSuite::kChaCha20Poly1305Sha256));
  EXPECT_EQ(again.get(), first);
  EXPECT_EQ(pool.in_use(), 1u);
  EXPECT_EQ(again->header_bytes(), 13u);
  EXPECT_EQ(again->overhead(), 29u);
}

}  // namespace
}  // namespace millrace::crypto
