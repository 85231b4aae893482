// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>

#include "crypto/dtls_session.h"
#include "crypto/dtls_test_support.h"
#include "engine/base/rng.h"

namespace millrace::crypto {
namespace {

DtlsPair::Options small_mtu() {
  return {.client = {.mtu_bytes = 300}, .server = {.mtu_bytes = 300}};
}

bool is_server_finished(const RecordView& record) {
  return record.header.epoch == 1 && record.header.type == ContentType::kHandshake;
}

bool holds_finished(Bytes datagram) {
  RecordReader reader(datagram);
  while (const auto record = reader.next()) {
    if (is_server_finished(*record)) return true;
  }
  return false;
}

void expect_no_nonce_twice(const DtlsPair& pair) {
  EXPECT_FALSE(pair.ends[0]->nonces.reused());
  EXPECT_FALSE(pair.ends[1]->nonces.reused());
}

void expect_delivery(DtlsPair& pair) {
  pair.network = nullptr;
  pair.send(0, "up");
  pair.send(1, "down");
  ASSERT_TRUE(pair.run([&] {
    const auto has = [](const DtlsEnd& end, const char* text) {
      return std::count(end.received.begin(), end.received.end(), text) == 1;
    };
    return has(pair.server(), "up") && has(pair.client(), "down");
  }));
  expect_no_nonce_twice(pair);
}

TEST(DtlsHandshake, KeepsToItsMtu) {
  DtlsPair pair(small_mtu());
  ASSERT_TRUE(pair.establish());
  EXPECT_LE(pair.client().largest_datagram, 300u);
  EXPECT_LE(pair.server().largest_datagram, 300u);
  EXPECT_GT(pair.sent[0] + pair.sent[1], 6u);

  DtlsPair usual;
  ASSERT_TRUE(usual.establish());
  EXPECT_EQ(usual.sent[0] + usual.sent[1], 4u);  // A datagram a flight.
  EXPECT_LE(usual.server().largest_datagram, 1200u);
}

TEST(DtlsHandshake, RecoversFromTheLossOfAnyDatagram) {  // RFC 6347 §4.2.4
  for (const DtlsPair::Options& options : {DtlsPair::Options{}, small_mtu()}) {
    DtlsPair clean(options);
    ASSERT_TRUE(clean.establish());
    for (int side = 0; side < 2; ++side) {
      const std::size_t datagrams = clean.sent[static_cast<std::size_t>(side)];
      for (std::size_t lost = 0; lost < datagrams; ++lost) {
        DtlsPair pair(options);
        pair.network = [side, lost](int from, std::size_t index, Bytes datagram) {
          if (from == side && index == lost) return std::vector<Bytes>{};
          return std::vector<Bytes>{std::move(datagram)};
        };
        ASSERT_TRUE(pair.establish()) << side << " " << lost;
        EXPECT_LE(pair.now - Time{}, milliseconds(100)) << side << " " << lost;
        expect_delivery(pair);
      }
    }
  }
}

TEST(DtlsHandshake, BearsDuplicatesOfEveryDatagram) {
  for (const DtlsPair::Options& options : {DtlsPair::Options{}, small_mtu()}) {
    DtlsPair pair(options);
    pair.network = [](int, std::size_t, Bytes datagram) {
      return std::vector<Bytes>{datagram, datagram, datagram};
    };
    ASSERT_TRUE(pair.establish());
    EXPECT_EQ(pair.now, Time{});
    expect_delivery(pair);
  }
}

TEST(DtlsHandshake, LosesNoTimeWhenEveryFlightComesInReverse) {
  DtlsPair pair(small_mtu());
  pair.newest_first = true;
  ASSERT_TRUE(pair.establish());
  EXPECT_EQ(pair.now, Time{});
  expect_delivery(pair);
}

TEST(DtlsHandshake, EstablishesUnderLossReorderingAndDuplication) {
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    SeededRng rng(seed);
    DtlsPair pair(seed % 2 == 0 ? DtlsPair::Options{} : small_mtu());
    pair.newest_first = seed % 3 == 0;
    pair.network = [&rng](int, std::size_t, Bytes datagram) {
      const std::uint64_t fate = rng.below(10);
      if (fate < 2) return std::vector<Bytes>{};
      if (fate < 4) return std::vector<Bytes>{datagram, datagram};
      return std::vector<Bytes>{std::move(datagram)};
    };
    ASSERT_TRUE(pair.establish()) << seed;
    // No bound on a handshake is in an honest peer's way.
    for (const auto& end : pair.ends) {
      EXPECT_EQ(end->shard.counters.dropped(DropReason::kHandshakeOverrun), 0u) << seed;
      EXPECT_LT(end->shard.counters.flights, DtlsSession::kMaxFlights / 8) << seed;
    }
    expect_delivery(pair);
  }
}

TEST(DtlsHandshake, NeverEstablishesWithoutAnyOneMessage) {  // CVE-2022-29222 and its like
  struct Missing {
    int from;
    std::uint8_t message;  // RFC 5246 §7.4.
  };
  // ClientHello; Certificate, ClientKeyExchange, CertificateVerify; ServerHello,
  // Certificate, ServerKeyExchange, CertificateRequest, ServerHelloDone.
  for (const Missing missing :
       {Missing{0, 1}, Missing{0, 11}, Missing{0, 16}, Missing{0, 15}, Missing{1, 2},
        Missing{1, 11}, Missing{1, 12}, Missing{1, 13}, Missing{1, 14}}) {
    DtlsPair pair;
    int stripped = 0;
    pair.network = [&](int from, std::size_t, Bytes datagram) {
      if (from != missing.from) return std::vector<Bytes>{std::move(datagram)};
      return std::vector<Bytes>{without_records(std::move(datagram), [&](const RecordView& record) {
        const bool strip = carries(record, missing.message);
        stripped += strip ? 1 : 0;
        return strip;
      })};
    };
    pair.establish();
    EXPECT_GT(stripped, 0) << int{missing.message};
    EXPECT_EQ(pair.client().session->record_keys(), nullptr) << int{missing.message};
    EXPECT_EQ(pair.server().session->record_keys(), nullptr) << int{missing.message};
    EXPECT_TRUE(pair.client().session->closed());
    EXPECT_TRUE(pair.server().session->closed());
  }
}

TEST(DtlsHandshake, RefusesACertificateVerifyThatWasTamperedWith) {
  DtlsPair pair;
  pair.network = [](int, std::size_t, Bytes datagram) {
    RecordReader reader(datagram);
    while (const auto record = reader.next()) {
      if (carries(*record, 15)) record->bytes.back() ^= 1;
    }
    return std::vector<Bytes>{datagram};
  };
  EXPECT_FALSE(pair.establish());
  EXPECT_EQ(pair.server().session->close_reason(), CloseReason::kHandshakeFailed);
  EXPECT_EQ(pair.server().session->record_keys(), nullptr);
  EXPECT_EQ(pair.client().session->record_keys(), nullptr);
}

TEST(DtlsHandshake, HoldsDataThatComesBeforeTheFinished) {
  DtlsPair pair;
  std::vector<Bytes> delayed;
  pair.network = [&](int from, std::size_t, Bytes datagram) {
    if (from == 1 && holds_finished(datagram)) {
      delayed.push_back(std::move(datagram));
      return std::vector<Bytes>{};
    }
    return std::vector<Bytes>{std::move(datagram)};
  };
  pair.start();
  ASSERT_TRUE(pair.run([&] { return !delayed.empty(); }));
  pair.send(1, "early one");
  pair.send(1, "early two");
  pair.step();
  EXPECT_TRUE(pair.client().received.empty());
  EXPECT_EQ(pair.client().shard.counters.early_records_held, 2u);
  pair.client().receive(pair.now, delayed[0]);
  pair.client().drain(pair.now);
  EXPECT_TRUE(pair.client().session->established());
  EXPECT_EQ(pair.client().received, (std::vector<std::string>{"early one", "early two"}));
  EXPECT_EQ(pair.client().session->handshake_memory(), 0u);
}

// The flight ends with the Finished; what it was given behind that is the record layer's.
TEST(DtlsHandshake, HeedsAnAlertThatComesTogetherWithTheFinished) {
  DtlsPair pair;
  std::vector<Bytes> delayed;
  pair.network = [&](int from, std::size_t, Bytes datagram) {
    if (from == 1 && (holds_finished(datagram) || !delayed.empty())) {
      delayed.push_back(std::move(datagram));
      return std::vector<Bytes>{};
    }
    return std::vector<Bytes>{std::move(datagram)};
  };
  pair.start();
  ASSERT_TRUE(pair.run([&] { return pair.server().session->established(); }));
  pair.server().session->close(pair.now);
  pair.step();
  ASSERT_EQ(delayed.size(), 2u);
  for (const Bytes& datagram : delayed) pair.client().receive(pair.now, datagram);
  EXPECT_FALSE(pair.client().session->established());
  pair.client().drain(pair.now);
  EXPECT_EQ(pair.client().shard.counters.handshakes_completed, 1u);
  EXPECT_EQ(pair.client().session->close_reason(), CloseReason::kCloseNotify);
}

// The heart of taking over the records: the SSL would seal a repeated Finished under a
// number that data has used meanwhile.
TEST(DtlsHandshake, UsesNoNonceTwiceWhenTheLastFlightIsLostThreeTimesAmidData) {
  for (const CipherSuite suite :
       {CipherSuite::kAes128GcmSha256, CipherSuite::kChaCha20Poly1305Sha256}) {
    DtlsPair pair({.client = {.suites = {suite}}, .server = {}});
    std::vector<Bytes> flights;
    pair.network = [&](int from, std::size_t, Bytes datagram) {
      if (from == 1 && holds_finished(datagram)) {
        flights.push_back(datagram);
        if (flights.size() <= 3) return std::vector<Bytes>{};
      }
      return std::vector<Bytes>{std::move(datagram)};
    };
    pair.start();
    std::vector<std::string> expected;
    for (std::size_t lost = 1; lost <= 4; ++lost) {
      ASSERT_TRUE(pair.run([&] { return flights.size() == lost; }));
      for (int i = 0; i < 3; ++i) {
        expected.push_back("amid " + std::to_string(expected.size()));
        pair.send(1, expected.back());
      }
    }
    ASSERT_TRUE(pair.run([&] { return pair.client().session->established(); }));
    while (pair.step()) {
    }
    // Unchanged, byte for byte, whatever was sealed in between.
    for (const Bytes& flight : flights) EXPECT_EQ(flight, flights[0]);
    EXPECT_EQ(pair.server().shard.counters.last_flight_repeats, 3u);
    EXPECT_EQ(pair.client().received, expected);
    EXPECT_GE(pair.server().nonces.records(), 13u);
    expect_delivery(pair);
  }
}

TEST(DtlsHandshake, RepeatsTheLastFlightAtABoundedRateAndUntilDataComes) {
  DtlsPair::Options options;
  options.client.small_mtu_bytes = options.client.mtu_bytes;  // A repeat is one datagram.
  DtlsPair pair(options);
  std::vector<Bytes> repeats;  // Of the client's second flight.
  Bytes last_flight;
  pair.network = [&](int from, std::size_t index, Bytes datagram) {
    if (from == 1 && holds_finished(datagram)) {
      last_flight = std::move(datagram);
    } else if (from == 0 && index >= 2) {
      repeats.push_back(std::move(datagram));
    } else {
      return std::vector<Bytes>{std::move(datagram)};
    }
    return std::vector<Bytes>{};
  };
  pair.start();
  ASSERT_TRUE(pair.run([&] { return repeats.size() == 4; }));
  DtlsEnd& server = pair.server();
  const auto answers = [&](const Bytes& datagram, Duration after) {
    server.receive(pair.now + after, datagram);
    const std::vector<Bytes> sent = server.drain(pair.now + after);
    for (const Bytes& answer : sent) EXPECT_EQ(answer, last_flight);
    return sent.size();
  };
  EXPECT_EQ(answers(repeats[0], milliseconds(0)), 1u);
  EXPECT_EQ(answers(repeats[0], seconds(1)), 0u);  // A replay of the same records.
  EXPECT_EQ(answers(repeats[1], DtlsSession::kLastFlightInterval - nanoseconds(1)), 0u);
  EXPECT_EQ(answers(repeats[2], DtlsSession::kLastFlightInterval), 1u);
  EXPECT_EQ(server.shard.counters.last_flight_repeats, 2u);

  pair.client().receive(pair.now, last_flight);
  pair.client().drain(pair.now);
  ASSERT_TRUE(pair.client().session->established());
  server.receive(pair.now, pair.client().seal("data"));
  EXPECT_EQ(server.session->handshake_memory(), 0u);
  EXPECT_EQ(answers(repeats[3], seconds(1)), 0u);
  EXPECT_EQ(server.shard.counters.dropped(DropReason::kStaleHandshake), 1u);
  expect_no_nonce_twice(pair);
}

TEST(DtlsHandshake, IsNotDisturbedByItsOwnReplay) {
  DtlsPair pair;
  std::vector<std::pair<int, Bytes>> all;
  pair.network = [&](int from, std::size_t, Bytes datagram) {
    all.emplace_back(from, datagram);
    return std::vector<Bytes>{std::move(datagram)};
  };
  ASSERT_TRUE(pair.establish());
  for (int round = 0; round < 3; ++round) {
    for (const auto& [from, datagram] : all) {
      pair.ends[static_cast<std::size_t>(1 - from)]->receive(pair.now, datagram);
    }
    EXPECT_FALSE(pair.step());
  }
  expect_delivery(pair);
}

}  // namespace
}  // namespace millrace::crypto
