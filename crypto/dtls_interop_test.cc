// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "crypto/dtls_session.h"
#include "crypto/plain_ssl_peer.h"

namespace millrace::crypto {
namespace {

// MixedPair is one of our ends and a plain BoringSSL.
struct MixedPair {
  explicit MixedPair(const PlainSslPeer::Options& options, DtlsOptions ours = {}) : plain(options) {
    const Role role = options.role == Role::kClient ? Role::kServer : Role::kClient;
    end = std::make_unique<DtlsEnd>(make_context(0, std::move(ours)), role,
                                    std::vector<Fingerprint>{plain.fingerprint()});
    end->session->start(now);
  }

  bool step() {
    bool moved = false;
    for (const Bytes& datagram : plain.drain()) {
      end->receive(now, datagram);
      largest_from_plain = std::max(largest_from_plain, datagram.size());
      ++datagrams_from_plain;
      moved = true;
    }
    for (const Bytes& datagram : end->drain(now)) {
      plain.receive(datagram);
      moved = true;
    }
    return moved;
  }
  void settle() {
    while (step()) {
    }
  }
  void expect_talk() {
    settle();
    ASSERT_TRUE(plain.established());
    ASSERT_TRUE(end->session->established()) << to_string(end->session->close_reason());
    for (int i = 0; i < 100; ++i) {
      plain.write("plain " + std::to_string(i));
      plain.receive(end->seal("ours " + std::to_string(i)));
      settle();
    }
    ASSERT_EQ(end->received.size(), 100u);
    ASSERT_EQ(plain.received().size(), 100u);
    EXPECT_EQ(end->received[99], "plain 99");
    EXPECT_EQ(plain.received()[99], "ours 99");
    EXPECT_FALSE(end->nonces.reused());
  }

  Time now{};
  PlainSslPeer plain;
  std::unique_ptr<DtlsEnd> end;
  std::size_t largest_from_plain = 0;
  std::size_t datagrams_from_plain = 0;
};

constexpr Role kRoles[] = {Role::kClient, Role::kServer};

TEST(DtlsInterop, TalksWithAPlainSslInBothRolesAndEachSuite) {
  for (const Role role : kRoles) {
    for (const CipherSuite suite : all_suites()) {
      MixedPair pair({.role = role}, {.suites = {suite}});
      pair.expect_talk();
      EXPECT_EQ(pair.end->session->record_keys()->suite(), suite);
    }
  }
}

TEST(DtlsInterop, ClosesAsAPlainSslExpects) {
  for (const Role role : kRoles) {
    MixedPair ours({.role = role});
    ours.expect_talk();
    ours.end->session->close(ours.now);
    ours.settle();
    EXPECT_TRUE(ours.plain.closed());

    MixedPair theirs({.role = role});
    theirs.expect_talk();
    theirs.plain.shutdown();
    theirs.settle();
    EXPECT_EQ(theirs.end->session->close_reason(), CloseReason::kCloseNotify);
  }
}

TEST(DtlsInterop, TakesAClientHelloOfTwoFragments) {  // PEERS: Chromium's 1200 + 263 bytes
  MixedPair pair({.role = Role::kClient, .large_hello = true});
  const std::vector<Bytes> hello = pair.plain.drain();
  ASSERT_EQ(hello.size(), 2u);
  pair.end->receive(pair.now, hello[1]);  // The second first.
  EXPECT_TRUE(pair.end->drain(pair.now).empty());
  pair.end->receive(pair.now, hello[0]);
  pair.expect_talk();
}

TEST(DtlsInterop, TakesFlightsInManyFragments) {
  for (const Role role : kRoles) {
    MixedPair pair({.role = role, .large_hello = true, .mtu_bytes = 256});
    pair.expect_talk();
    EXPECT_LE(pair.largest_from_plain, 256u);
    EXPECT_GT(pair.datagrams_from_plain, 100u + 2);  // More than one a flight.
  }
}

TEST(DtlsInterop, GivesMessagesInFragmentsToAPlainSsl) {
  for (const Role role : kRoles) {
    MixedPair pair({.role = role}, {.mtu_bytes = 256});
    pair.expect_talk();
    EXPECT_LE(pair.end->largest_datagram, 256u);
  }
}

TEST(DtlsInterop, TalksWithAPeerWhoseCertificateIsRsa) {
  for (const Role role : kRoles) {
    MixedPair pair({.role = role, .rsa = true});
    pair.expect_talk();
  }
}

TEST(DtlsInterop, RefusesAClientWithoutACertificate) {  // RFC 8122 §6.2
  MixedPair pair({.role = Role::kClient, .with_certificate = false});
  pair.settle();
  EXPECT_EQ(pair.end->session->close_reason(), CloseReason::kNoPeerCertificate);
  EXPECT_EQ(pair.end->session->record_keys(), nullptr);
  EXPECT_TRUE(pair.plain.failed());
}

TEST(DtlsInterop, RefusesDtls10) {  // RFC 8827 §6.5
  for (const Role role : kRoles) {
    MixedPair pair({.role = role, .dtls10_only = true});
    pair.settle();
    EXPECT_TRUE(pair.end->session->closed());
    EXPECT_EQ(pair.end->session->record_keys(), nullptr);
  }
}

TEST(DtlsInterop, RefusesSuitesThatAreNotAeads) {
  for (const Role role : kRoles) {
    MixedPair pair({.role = role, .ciphers = "ECDHE-ECDSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA"});
    pair.settle();
    EXPECT_TRUE(pair.end->session->closed());
    EXPECT_EQ(pair.end->session->record_keys(), nullptr);
  }
}

}  // namespace
}  // namespace millrace::crypto
