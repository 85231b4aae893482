// SPDX-License-Identifier: Apache-2.0
#include "crypto/dtls_session.h"

#include <gtest/gtest.h>

#include "crypto/dtls_test_support.h"
#include "engine/base/rng.h"

namespace millrace::crypto {
namespace {

using State = DtlsSession::State;

void expect_talk(DtlsPair& pair) {
  pair.send(0, "from the client");
  pair.send(1, "from the server");
  while (pair.step()) {
  }
  ASSERT_FALSE(pair.client().received.empty());
  ASSERT_FALSE(pair.server().received.empty());
  EXPECT_EQ(pair.client().received.back(), "from the server");
  EXPECT_EQ(pair.server().received.back(), "from the client");
}

TEST(DtlsSession, EstablishesWithEachSuiteAndEachPairOfBackends) {
  for (const CipherSuite suite : kSuites) {
    for (const AeadBackend at_client : kBackends) {
      for (const AeadBackend at_server : kBackends) {
        DtlsPair pair(
            {.client = {}, .server = {.suites = {suite}}, .backends = {at_client, at_server}});
        ASSERT_TRUE(pair.establish());
        EXPECT_EQ(pair.client().session->record_keys()->suite(), suite);
        EXPECT_EQ(pair.server().session->record_keys()->suite(), suite);
        expect_talk(pair);
      }
    }
  }
}

TEST(DtlsSession, PrefersTheServersFirstSuite) {
  DtlsPair pair({.client = {.suites = {kSuites[0], kSuites[2]}},
                 .server = {.suites = {kSuites[2], kSuites[0]}}});
  ASSERT_TRUE(pair.establish());
  EXPECT_EQ(pair.client().session->record_keys()->suite(), kSuites[2]);
}

TEST(DtlsSession, FailsWithoutACommonSuite) {
  DtlsPair pair({.client = {.suites = {kSuites[0]}}, .server = {.suites = {kSuites[1]}}});
  EXPECT_FALSE(pair.establish());
  EXPECT_EQ(pair.server().session->close_reason(), CloseReason::kHandshakeFailed);
  EXPECT_EQ(pair.client().session->close_reason(), CloseReason::kPeerAlert);
}

TEST(DtlsSession, AcceptsTheFingerprintOfEachHash) {
  for (const HashAlgorithm hash :
       {HashAlgorithm::kSha256, HashAlgorithm::kSha384, HashAlgorithm::kSha512}) {
    DtlsPair::Options options;
    options.hash = hash;
    DtlsPair pair(options);
    EXPECT_TRUE(pair.establish());
  }
}

// CVE-2021-28681: a mismatch must end the session, with nothing delivered.
void expect_mismatch(int wary, std::vector<Fingerprint> expected) {
  DtlsPair pair;
  const auto at = static_cast<std::size_t>(wary);
  pair.ends[at] = std::make_unique<DtlsEnd>(
      make_context(wary), wary == 0 ? Role::kClient : Role::kServer, std::move(expected));
  EXPECT_FALSE(pair.establish());
  for (const auto& end : pair.ends) {
    EXPECT_TRUE(end->session->closed());
    EXPECT_EQ(end->session->record_keys(), nullptr);
    EXPECT_TRUE(end->received.empty());
  }
  EXPECT_EQ(pair.ends[at]->session->close_reason(), CloseReason::kFingerprintMismatch);
  EXPECT_EQ(pair.ends[1 - at]->session->close_reason(), CloseReason::kPeerAlert);
  EXPECT_EQ(pair.ends[at]->shard.counters.handshakes_failed, 1u);
}

TEST(DtlsSession, FailsClosedOnAFingerprintMismatch) {  // RFC 8122 §6.2
  const Fingerprint stranger = shared_certificate(2).fingerprint(HashAlgorithm::kSha256);
  for (const int wary : {0, 1}) {
    expect_mismatch(wary, {stranger});
    expect_mismatch(wary, {});
    // The right SHA-256 does not help where a stronger hash is there and wrong.
    expect_mismatch(wary, {shared_certificate(1 - wary).fingerprint(HashAlgorithm::kSha256),
                           shared_certificate(2).fingerprint(HashAlgorithm::kSha384)});
  }
}

TEST(DtlsSession, GivesUpAfterTheHandshakeTimeout) {
  DtlsPair pair;
  pair.network = [](int, std::size_t, Bytes) { return std::vector<Bytes>{}; };
  EXPECT_FALSE(pair.establish());
  EXPECT_EQ(pair.now, Time{} + seconds(30));
  EXPECT_EQ(pair.client().session->close_reason(), CloseReason::kHandshakeTimeout);
  EXPECT_EQ(pair.server().session->close_reason(), CloseReason::kHandshakeTimeout);
  EXPECT_EQ(pair.client().session->next_timeout(), kNever);
}

TEST(DtlsSession, RetransmitsAfterFiftyMillisecondsAndDoubles) {  // RFC 6347 §4.2.4.1
  DtlsPair pair;
  std::vector<Duration> at;
  pair.network = [&](int, std::size_t, Bytes) {
    at.push_back(pair.now - Time{});
    return std::vector<Bytes>{};
  };
  pair.establish();
  ASSERT_GE(at.size(), 5u);
  EXPECT_EQ(at[0], milliseconds(0));
  EXPECT_EQ(at[1], milliseconds(50));
  EXPECT_EQ(at[2], milliseconds(150));
  EXPECT_EQ(at[3], milliseconds(350));
  EXPECT_EQ(at[4], milliseconds(750));
}

TEST(DtlsSession, RepeatsAFlightInSmallDatagramsFromTheSecondTimeOn) {  // RFC 6347 §4.1.1.1
  DtlsPair pair;
  std::size_t largest = 0, dropped = 0;
  pair.network = [&](int, std::size_t, Bytes datagram) {
    constexpr std::size_t kPath = 508;
    largest = std::max(largest, datagram.size());
    if (datagram.size() <= kPath) return std::vector<Bytes>{std::move(datagram)};
    ++dropped;
    return std::vector<Bytes>{};
  };
  EXPECT_TRUE(pair.establish());
  EXPECT_GT(largest, 508u);
  // The first flight of each end that does not fit, and its first repeat.
  EXPECT_LE(dropped, 4u);
  EXPECT_LE(pair.now - Time{}, 2 * milliseconds(150) + milliseconds(1));
}

TEST(DtlsSession, ClosesBothEndsWithCloseNotify) {  // RFC 5246 §7.2.1
  for (const CipherSuite suite : kSuites) {
    DtlsPair pair({.client = {.suites = {suite}}, .server = {}});
    ASSERT_TRUE(pair.establish());
    pair.server().session->close(pair.now);
    pair.step();
    EXPECT_EQ(pair.server().session->close_reason(), CloseReason::kLocal);
    EXPECT_EQ(pair.client().session->close_reason(), CloseReason::kCloseNotify);
    while (pair.step()) {
    }
    // The client's own close_notify met a closed session.
    EXPECT_EQ(pair.server().shard.counters.dropped(DropReason::kClosed), 1u);
    EXPECT_FALSE(pair.server().nonces.reused() || pair.client().nonces.reused());
  }
}

TEST(DtlsSession, ClosesSilentlyBeforeItIsEstablished) {
  DtlsPair pair;
  pair.start();
  pair.client().session->close(pair.now);
  EXPECT_TRUE(pair.client().drain(pair.now).empty());
  EXPECT_EQ(pair.client().session->close_reason(), CloseReason::kLocal);
  EXPECT_EQ(pair.client().session->handshake_memory(), 0u);
}

Bytes sealed_control(DtlsEnd& end, ContentType type, std::initializer_list<std::uint8_t> body) {
  RecordKeys* const keys = end.session->record_keys();
  Bytes record(keys->overhead() + body.size());
  std::copy(body.begin(), body.end(),
            record.begin() + static_cast<std::ptrdiff_t>(keys->header_bytes()));
  SealJob job{.keys = keys,
              .record = record.data(),
              .plaintext_length = static_cast<std::uint32_t>(body.size()),
              .type = type};
  seal_batch({&job, 1});
  return record;
}

TEST(DtlsSession, IsClosedByAFatalAlertAndByNoOther) {
  DtlsPair pair;
  ASSERT_TRUE(pair.establish());
  pair.client().receive(pair.now, sealed_control(pair.server(), ContentType::kAlert, {1, 90}));
  EXPECT_TRUE(pair.client().session->established());
  pair.client().receive(pair.now, sealed_control(pair.server(), ContentType::kAlert, {2}));
  pair.client().receive(pair.now, sealed_control(pair.server(), ContentType::kAlert, {9, 9}));
  EXPECT_EQ(pair.client().shard.counters.dropped(DropReason::kMalformed), 2u);
  // RFC 6347 §4.1.2.7: one that is not authentic has no effect.
  pair.client().receive(pair.now, from_hex("15fefd000000000000000500020228"));
  EXPECT_TRUE(pair.client().session->established());
  pair.client().receive(pair.now, sealed_control(pair.server(), ContentType::kAlert, {2, 40}));
  EXPECT_EQ(pair.client().session->close_reason(), CloseReason::kPeerAlert);
}

TEST(DtlsSession, DoesNotAnswerARequestToRenegotiate) {
  DtlsPair pair;
  ASSERT_TRUE(pair.establish());
  const Bytes hello_request =
      sealed_control(pair.server(), ContentType::kHandshake, {0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0});
  pair.client().receive(pair.now, hello_request);
  EXPECT_TRUE(pair.client().session->established());
  EXPECT_TRUE(pair.client().drain(pair.now).empty());
  EXPECT_EQ(pair.client().shard.counters.dropped(DropReason::kStaleHandshake), 1u);
}

TEST(DtlsSession, KeepsNoHandshakeOnceDataHasCome) {
  DtlsPair pair;
  ASSERT_TRUE(pair.establish());
  while (pair.step()) {
  }
  EXPECT_EQ(pair.client().session->handshake_memory(), 0u);
  EXPECT_GT(pair.server().session->handshake_memory(), 0u);  // The last flight.
  pair.send(0, "data");
  pair.step();
  EXPECT_EQ(pair.server().session->handshake_memory(), 0u);
}

TEST(DtlsSession, SurvivesItsFlightBeingAwayWhileDatagramsCome) {
  DtlsPair pair;
  pair.start();
  auto flight = pair.client().session->take_flight(pair.now);
  EXPECT_FALSE(pair.client().session->flight_ready());
  EXPECT_NE(pair.client().session->next_timeout(), kNever);
  pair.client().receive(pair.now, from_hex("16fefd0000000000000000000c020000000000000000000000"));
  EXPECT_FALSE(pair.client().session->flight_ready());
  flight->run();
  pair.client().session->return_flight(pair.now, std::move(flight));
  EXPECT_TRUE(pair.client().session->flight_ready());
}

TEST(DtlsSession, MayBeDestroyedOrClosedWhileItsFlightIsAway) {
  DtlsPair pair;
  pair.start();
  auto flight = pair.client().session->take_flight(pair.now);
  pair.client().session.reset();
  flight->run();
  flight.reset();

  pair.network = [](int, std::size_t, Bytes datagram) { return std::vector<Bytes>{datagram}; };
  DtlsPair other;
  other.start();
  auto away = other.client().session->take_flight(other.now);
  other.client().session->close(other.now);
  away->run();
  other.client().session->return_flight(other.now, std::move(away));
  EXPECT_TRUE(other.client().session->closed());
  EXPECT_TRUE(other.client().drain(other.now).empty());
}

TEST(DtlsSession, GivesUpEvenWhileItsFlightIsAway) {
  DtlsPair pair;
  pair.start();
  auto away = pair.client().session->take_flight(pair.now);
  pair.client().session->handle_timeout(pair.now + seconds(30));
  EXPECT_EQ(pair.client().session->close_reason(), CloseReason::kHandshakeTimeout);
  away->run();
  pair.client().session->return_flight(pair.now, std::move(away));
  EXPECT_TRUE(pair.client().session->closed());
}

// A large fragment of a ClientHello that never ends.
Bytes hello_fragment() {
  Bytes fragment = from_hex(
      "16fefd000000000000000003fc01003fff0000000000"
      "0003f0");
  fragment.resize(kRecordHeaderBytes + 0x3fc, 0);
  return fragment;
}

TEST(DtlsSession, BoundsWhatAHandshakeMakesItHold) {  // CVE-2022-29189
  DtlsPair pair;
  pair.start();
  const Bytes fragment = hello_fragment();
  // Epoch 1: application data ahead of any handshake, and handshake that cannot be read yet.
  Bytes early = from_hex("17fefd000100000000000003fc");
  early.resize(kRecordHeaderBytes + 0x3fc, 0);
  Bytes encrypted = early;
  encrypted[0] = 22;
  DtlsEnd& server = pair.server();
  for (int i = 0; i < 2000; ++i) {
    server.receive(pair.now, fragment);
    server.receive(pair.now, early);
    server.receive(pair.now, encrypted);
    if (i % 20 == 0) server.drain(pair.now);
    EXPECT_LE(server.session->handshake_memory(),
              DtlsSession::kMaxQueuedInputBytes + DtlsSession::kMaxHeldBytes + 2048);
  }
  EXPECT_GT(server.shard.counters.dropped(DropReason::kHandshakeOverrun), 0u);
  EXPECT_GT(server.shard.counters.dropped(DropReason::kEarlyOverrun), 0u);
  EXPECT_EQ(server.session->state(), State::kConnecting)
      << to_string(server.session->close_reason());
}

// A record whose bytes are all alike, which no SSL can make anything of.
Bytes dull_record(ContentType type, std::uint16_t epoch, std::size_t body) {
  Bytes record(kRecordHeaderBytes + body, 1);
  record[0] = static_cast<std::uint8_t>(type);
  store_be16(record.data() + 1, kDtls12Version);
  store_be16(record.data() + 3, epoch);
  store_be16(record.data() + 11, static_cast<std::uint16_t>(body));
  return record;
}

TEST(DtlsSession, BoundsWhatTheRunsOfAHandshakeTake) {
  DtlsPair pair;
  pair.start();
  DtlsEnd& server = pair.server();
  constexpr std::size_t kFill = 2500;
  const Bytes sealed = dull_record(ContentType::kHandshake, 1, kAeadTagBytes);
  for (std::size_t i = 0; i < kFill; ++i) server.receive(pair.now, sealed);
  const DtlsCounters& counters = server.shard.counters;
  EXPECT_EQ(counters.dropped(DropReason::kHandshakeOverrun),
            kFill - DtlsSession::kMaxEncryptedRecords);
  // Now what the SSL drops without a word, each time in a run of its own.
  const Bytes repeated = from_hex("16fefd0000000000000000000d010003e80000000000000001ff");
  constexpr std::size_t kRepeats = 4000;
  for (std::size_t i = 0; i < kRepeats; ++i) {
    server.receive(pair.now, repeated);
    server.drain(pair.now);
    ASSERT_LE(server.session->handshake_memory(), DtlsSession::kMaxQueuedInputBytes + 2048);
  }
  EXPECT_EQ(counters.flights, DtlsSession::kMaxFlights);
  EXPECT_EQ(counters.dropped(DropReason::kHandshakeOverrun),
            kFill - DtlsSession::kMaxEncryptedRecords + kRepeats - DtlsSession::kMaxFlights);
  EXPECT_EQ(server.session->state(), State::kConnecting);
}

TEST(DtlsSession, BoundsItsInputWhileItsFlightIsAwayToo) {
  for (const Bytes& large : {hello_fragment(), dull_record(ContentType::kHandshake, 1, 1000)}) {
    DtlsPair pair;
    pair.start();
    DtlsEnd& server = pair.server();
    const auto flood = [&] {
      for (int i = 0; i < 100; ++i) server.receive(pair.now, large);
      EXPECT_LE(server.session->handshake_memory(), DtlsSession::kMaxQueuedInputBytes + 2048);
    };
    for (int round = 0; round < 8; ++round) {
      flood();
      if (!server.session->flight_ready()) break;
      auto flight = server.session->take_flight(pair.now);
      flood();
      flight->run();
      server.session->return_flight(pair.now, std::move(flight));
      flood();
    }
    EXPECT_EQ(server.session->state(), State::kConnecting);
    EXPECT_GT(server.shard.counters.dropped(DropReason::kHandshakeOverrun), 0u);
  }
}

TEST(DtlsSession, KeepsNoSealedRecordThatIsTooShortForItsTag) {
  DtlsPair pair;
  pair.start();
  DtlsEnd& server = pair.server();
  for (const ContentType type : {ContentType::kChangeCipherSpec, ContentType::kAlert,
                                 ContentType::kHandshake, ContentType::kApplicationData}) {
    for (std::size_t body = 0; body < kAeadTagBytes; ++body) {
      server.receive(pair.now, dull_record(type, 1, body));
    }
  }
  EXPECT_EQ(server.shard.counters.dropped(DropReason::kUnauthentic), 4 * kAeadTagBytes);
  EXPECT_FALSE(server.session->flight_ready());
  EXPECT_EQ(server.shard.counters.early_records_held, 0u);
}

TEST(DtlsSession, GetsPastFragmentsOfNoLength) {  // CVE-2022-29190
  DtlsPair pair;
  pair.start();
  for (int i = 0; i < 50; ++i) {
    pair.server().receive(pair.now, from_hex("16fefd0000000000000000000c010000100000000000000000"));
    pair.server().receive(pair.now, from_hex("16fefd00000000000000000000"));
    pair.server().drain(pair.now);
  }
  SUCCEED();
}

TEST(DtlsSession, OutlivesRandomDatagramsBeforeAndAfterTheHandshake) {
  SeededRng rng(11);
  DtlsPair pair;
  const auto noise = [&rng] {
    Bytes bytes(rng.below(200));
    rng.fill(bytes);
    if (bytes.size() >= kRecordHeaderBytes) {
      bytes[0] = static_cast<std::uint8_t>(20 + rng.below(4));
      store_be16(bytes.data() + 1, kDtls12Version);
      store_be16(bytes.data() + 3, static_cast<std::uint16_t>(rng.below(3)));
      store_be16(bytes.data() + 11, static_cast<std::uint16_t>(rng.below(bytes.size())));
    }
    return bytes;
  };
  // Noise of epoch 0 before the handshake may end it, as a forged alert may; of epoch 1 not.
  pair.network = [&](int, std::size_t, Bytes datagram) {
    Bytes other = noise();
    if (other.size() >= kRecordHeaderBytes) store_be16(other.data() + 3, 1);
    return std::vector<Bytes>{other, std::move(datagram)};
  };
  ASSERT_TRUE(pair.establish());
  pair.network = nullptr;
  for (int i = 0; i < 5000; ++i) {
    pair.client().receive(pair.now, noise());
    pair.server().receive(pair.now, noise());
  }
  expect_talk(pair);
  EXPECT_EQ(pair.client().received.size(), 1u);
}

TEST(DtlsSession, CountsReplaysTruncationsAndForgeriesAndGoesOn) {
  DtlsPair pair;
  ASSERT_TRUE(pair.establish());
  const Bytes record = pair.client().seal("precious");
  for (std::size_t n = 0; n < record.size(); ++n) {
    pair.server().receive(pair.now, ByteSpan(record).first(n));
  }
  const DtlsCounters& counters = pair.server().shard.counters;
  EXPECT_EQ(counters.dropped(DropReason::kMalformed), record.size() - 1);
  Bytes forged = record;
  forged.back() ^= 1;
  pair.server().receive(pair.now, forged);
  EXPECT_EQ(counters.dropped(DropReason::kUnauthentic), 1u);
  for (int i = 0; i < 3; ++i) pair.server().receive(pair.now, record);
  EXPECT_EQ(counters.dropped(DropReason::kReplayed), 2u);
  EXPECT_EQ(pair.server().received, std::vector<std::string>{"precious"});
}

TEST(DtlsSession, CountsWhatTheQueueHasNoRoomFor) {
  DtlsPair pair;
  ASSERT_TRUE(pair.establish());
  Bytes two = pair.client().seal("one");
  const Bytes second = pair.client().seal("two");
  two.insert(two.end(), second.begin(), second.end());
  OpenQueue queue(1);
  int marker = 0;
  pair.server().session->handle_datagram(pair.now, two, queue, {.owner = &marker, .index = 7});
  ASSERT_EQ(queue.jobs().size(), 1u);
  EXPECT_EQ(queue.jobs()[0].tag.owner, &marker);
  EXPECT_EQ(queue.jobs()[0].tag.index, 7u);
  EXPECT_EQ(pair.server().shard.counters.dropped(DropReason::kQueueFull), 1u);
}

TEST(DtlsSession, EndsWhenItsKeysAreWornOut) {  // RFC 9147 §4.5.3
  DtlsPair pair;
  const std::vector<Fingerprint> of_client = {
      shared_certificate(0).fingerprint(HashAlgorithm::kSha256)};
  DtlsOptions options;
  options.key_limits.sealed_blocks = 4;
  pair.ends[1] = std::make_unique<DtlsEnd>(make_context(1, options), Role::kServer, of_client);
  ASSERT_TRUE(pair.establish());
  pair.server().seal("a record of more than forty-eight bytes, tag and header not counted");
  EXPECT_TRUE(pair.server().session->established());
  pair.server().drain(pair.now);
  EXPECT_EQ(pair.server().session->close_reason(), CloseReason::kKeysWornOut);
}

TEST(DtlsSession, WritesTheNssKeyLogOnRequest) {
  struct Log : KeyLog {
    void write_line(std::string_view line) override { lines.emplace_back(line); }
    std::vector<std::string> lines;
  } log;
  DtlsPair pair;
  pair.ends[0] = std::make_unique<DtlsEnd>(
      make_context(0, {}, &log), Role::kClient,
      std::vector<Fingerprint>{shared_certificate(1).fingerprint(HashAlgorithm::kSha256)});
  ASSERT_TRUE(pair.establish());
  ASSERT_EQ(log.lines.size(), 1u);
  EXPECT_EQ(log.lines[0].substr(0, 14), "CLIENT_RANDOM ");
  EXPECT_EQ(log.lines[0].size(), 14u + 64 + 1 + 96);
}

TEST(DtlsContext, RefusesSettingsOutOfRange) {
  const auto refused = [](DtlsOptions options) {
    return !DtlsContext::create(shared_certificate(0), std::move(options)).ok();
  };
  EXPECT_TRUE(refused({.suites = {}}));
  EXPECT_TRUE(refused({.mtu_bytes = 255}));
  EXPECT_TRUE(refused({.mtu_bytes = 20000}));
  EXPECT_TRUE(refused({.small_mtu_bytes = 255}));
  EXPECT_TRUE(refused({.initial_timeout = milliseconds(0)}));
}

}  // namespace
}  // namespace millrace::crypto
