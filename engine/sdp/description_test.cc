// SPDX-License-Identifier: Apache-2.0
#include "engine/sdp/description.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "engine/base/rng.h"
#include "engine/sdp/test_vectors.h"

namespace millrace::sdp {
namespace {

constexpr std::string_view kOfferHead = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n";

Address address(const char* text) { return Address::parse(text).value(); }

std::string replaced(std::string_view text, std::string_view from, std::string_view to) {
  std::string out(text);
  const std::size_t at = out.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return out.replace(at, from.size(), to);
}

RemoteDescription offer(std::string_view text) {
  const ParseResult result = parse_offer(text);
  EXPECT_TRUE(result.ok()) << (result.ok() ? "" : result.error().to_string());
  return result.value();
}

RemoteDescription answer(std::string_view text) {
  const ParseResult result = parse_answer(text);
  EXPECT_TRUE(result.ok()) << (result.ok() ? "" : result.error().to_string());
  return result.value();
}

std::string offer_error(std::string_view text) {
  const ParseResult result = parse_offer(text);
  return result.ok() ? "accepted" : result.error().to_string();
}

std::uint32_t count(const RemoteDescription& description, CandidateUse use) {
  return description.candidate_uses[static_cast<std::size_t>(use)];
}

LocalDescription local_description() {
  LocalDescription local;
  local.session_id = UINT64_MAX;
  local.ice = {"srvufrag", "serverpasswordserverpwd"};
  local.ice_lite = true;
  local.fingerprints = {*Fingerprint::parse("sha-256 " MILLRACE_DIGEST_256)};
  local.setup = Setup::kPassive;
  local.max_message_size = 262144;
  local.candidates = {ice::make_host_candidate(address("192.0.2.1:3478"), 0),
                      ice::make_host_candidate(address("[2001:db8::1]:3478"), 1)};
  return local;
}

TEST(Description, ReadsAnOfferOfChromium) {
  const RemoteDescription d = offer(kChromiumOffer);
  EXPECT_EQ(d.ice, (ice::Credentials{"Xy9Z", "sO0meRand0mPassw0rd/1234"}));
  EXPECT_FALSE(d.ice_lite);
  EXPECT_TRUE(d.trickle);
  EXPECT_FALSE(d.end_of_candidates);
  ASSERT_EQ(d.fingerprints.size(), 1u);
  EXPECT_EQ(d.fingerprints[0].to_string(), "sha-256 " MILLRACE_DIGEST_256);
  EXPECT_EQ(d.setup, Setup::kActpass);
  EXPECT_EQ(d.sctp_port, 5000);
  EXPECT_EQ(d.max_message_size, 262144u);
  EXPECT_TRUE(d.is_bundled);
  EXPECT_EQ(d.data().mid, "0");
  EXPECT_TRUE(d.candidates.empty());
  EXPECT_EQ(count(d, CandidateUse::kHostName), 1u);
  EXPECT_FALSE(d.sctp_init);
}

TEST(Description, KeepsSctpInitAsItStands) {
  EXPECT_EQ(offer(kChromiumSnapOffer).sctp_init, "AQAAHhI0VngAUAAA//////aXgAjAAAAEgAgABsCC");
  for (const char* line : {"a=sctp-init:\r\n", "a=sctp-init\r\n"}) {
    EXPECT_EQ(offer(std::string(kChromiumOffer) + line).sctp_init, "") << line;
  }
}

TEST(Description, ReadsAnOfferOfFirefox) {
  const RemoteDescription d = offer(kFirefoxOffer);
  EXPECT_EQ(d.ice.ufrag, "fedcba98");
  EXPECT_EQ(d.fingerprints.size(), 1u);  // From session level.
  EXPECT_EQ(d.max_message_size, 1073741823u);
  EXPECT_TRUE(d.end_of_candidates);
  EXPECT_TRUE(d.trickle);
  ASSERT_EQ(d.candidates.size(), 2u);
  EXPECT_EQ(d.candidates[0].address, address("192.0.2.33:40001"));
  EXPECT_EQ(d.candidates[0].priority, 2122252543u);
  EXPECT_EQ(d.candidates[1].address, address("[2001:db8::33]:40002"));
  EXPECT_EQ(count(d, CandidateUse::kTransport), 1u);
}

// RFC 8843 §7.1.3: the transport is the BUNDLE-tagged section's.
TEST(Description, BundleOnlyDataTakesTheTransportOfTheTaggedSection) {
  const RemoteDescription d = offer(kChromiumMaxBundleOffer);
  EXPECT_EQ(d.ice.ufrag, "tagd");
  EXPECT_EQ(d.setup, Setup::kActpass);
  ASSERT_EQ(d.candidates.size(), 1u);
  EXPECT_EQ(d.candidates[0].address, address("192.0.2.5:50000"));
  EXPECT_EQ(count(d, CandidateUse::kComponent), 1u);
  EXPECT_EQ(d.sections.size(), 3u);
  EXPECT_EQ(d.data_section, 2u);
}

TEST(Description, ReadsAnswersOfPionAndWebrtcRs) {
  const RemoteDescription pion = answer(kPionAnswer);
  EXPECT_EQ(pion.setup, Setup::kActive);
  ASSERT_EQ(pion.candidates.size(), 1u);
  EXPECT_EQ(pion.candidates[0].address, address("127.0.0.1:45678"));
  const RemoteDescription rust = answer(kWebrtcRsAnswer);
  EXPECT_EQ(rust.candidates.size(), 2u);
  EXPECT_EQ(rust.max_message_size, kDefaultMaxMessageSize);  // RFC 8841 §6.1.
  EXPECT_EQ(rust.fingerprints.size(), 1u);
}

TEST(Description, ReadsOffersOfLibdatachannelAndWerift) {
  const RemoteDescription rtc = offer(kLibdatachannelOffer);
  EXPECT_EQ(rtc.ice.ufrag, "c8Qz");  // From session level.
  EXPECT_EQ(rtc.setup, Setup::kActpass);
  EXPECT_EQ(rtc.candidates.size(), 1u);
  const RemoteDescription werift = offer(kWeriftOffer);
  EXPECT_EQ(werift.max_message_size, 65536u);
  EXPECT_EQ(werift.candidates.size(), 1u);
}

// RFC 8122 §5.
TEST(Description, KeepsEveryAcceptableFingerprint) {
  const RemoteDescription d = offer(kAiortcOffer);
  ASSERT_EQ(d.fingerprints.size(), 3u);
  EXPECT_EQ(d.fingerprints[0].size(), 32u);
  EXPECT_EQ(d.fingerprints[1].size(), 48u);
  EXPECT_EQ(d.fingerprints[2].size(), 64u);
  const std::string mixed =
      replaced(kChromiumOffer, "a=fingerprint:", "a=fingerprint:sha-1 00:11\r\na=fingerprint:");
  EXPECT_EQ(offer(mixed).fingerprints.size(), 1u);
}

TEST(Description, TakesTheFormBeforeRfc8841) {
  const RemoteDescription d = offer(kLegacyOffer);
  EXPECT_TRUE(d.legacy_sctp);
  EXPECT_EQ(d.sctp_port, 5000);
  EXPECT_FALSE(d.is_bundled);
}

TEST(Description, MediaLevelOverridesSessionLevel) {
  const std::string both = replaced(kLibdatachannelOffer, "a=mid:0\r\n",
                                    "a=mid:0\r\na=ice-ufrag:mediaufrag\r\na=ice-pwd:"
                                    "mediapasswordmediapassword\r\na=setup:passive\r\n");
  const RemoteDescription d = offer(both);
  EXPECT_EQ(d.ice.ufrag, "mediaufrag");
  EXPECT_EQ(d.ice.pwd, "mediapasswordmediapassword");
  EXPECT_EQ(d.setup, Setup::kPassive);
}

TEST(Description, TakesLfLineEndsAndAMissingLastOne) {
  std::string text(kChromiumOffer);
  std::erase(text, '\r');
  EXPECT_TRUE(parse_offer(text).ok());
  text.pop_back();
  EXPECT_EQ(offer(text).max_message_size, 262144u);
}

TEST(Description, StatesWhatIsWrongAndWhere) {
  EXPECT_EQ(offer_error(""), "the description is empty");
  EXPECT_EQ(offer_error("{\"type\":\"offer\"}"),
            "line 1: expected \"v=0\", found \"{?type?:?offer?}\"");
  EXPECT_EQ(offer_error(kOfferHead), "no m=application section for data channels");
  EXPECT_EQ(offer_error(replaced(kChromiumOffer, "a=fingerprint:sha-256", "a=fingerprint:md5")),
            "line 14: a=fingerprint: unknown hash \"md5\"");
  EXPECT_EQ(offer_error(replaced(kChromiumOffer, "sha-256 1A", "sha-256 1G")),
            "line 14: a=fingerprint: not a sha-256 digest");
  EXPECT_EQ(offer_error(replaced(kChromiumOffer, "a=fingerprint", "a=finger")),
            "a=fingerprint is missing");
  EXPECT_EQ(offer_error(replaced(kChromiumOffer, "a=ice-ufrag:Xy9Z\r\n", "")),
            "a=ice-ufrag is missing");
  EXPECT_EQ(offer_error(replaced(kChromiumOffer, "Xy9Z", "Xy9")),
            "line 11: a=ice-ufrag: expected 4 to 256 ice-chars");
  EXPECT_EQ(offer_error(replaced(kChromiumOffer, "ice-pwd:sO0me", "ice-pwd:s O0me")),
            "line 12: a=ice-pwd: expected 22 to 256 ice-chars");
  EXPECT_EQ(offer_error(replaced(kChromiumOffer, "setup:actpass", "setup:maybe")),
            "line 15: a=setup: unknown role \"maybe\"");
  EXPECT_EQ(offer_error(replaced(kChromiumOffer, "setup:actpass", "setup:holdconn")),
            "line 15: a=setup: holdconn");
  EXPECT_EQ(offer_error(replaced(kChromiumOffer, "m=application 51234", "m=application 99999")),
            "line 8: m=: bad port \"99999\"");
  EXPECT_EQ(offer_error(replaced(kChromiumOffer, "m=application 51234", "m=application 0")),
            "line 8: the data section is switched off (port 0)");
  EXPECT_EQ(offer_error(replaced(kChromiumOffer, "s=-", "nonsense")),
            "line 3: expected <letter>=<value>, found \"nonsense\"");
  EXPECT_EQ(offer_error(replaced(kChromiumOffer, "s=-", "s=\x01")), "line 3: a control character");
}

TEST(Description, RefusesHostileNumbers) {
  for (const char* port : {"0", "65536", "-1", "+5", "5000 ", "", "99999999999999999999", "0x10"}) {
    const std::string line = std::string("a=sctp-port:") + port;
    EXPECT_FALSE(parse_offer(replaced(kChromiumOffer, "a=sctp-port:5000", line)).ok()) << port;
  }
  for (const char* size : {"-1", "1e6", "18446744073709551616", ""}) {
    const std::string line = std::string("a=max-message-size:") + size;
    EXPECT_FALSE(parse_offer(replaced(kChromiumOffer, "a=max-message-size:262144", line)).ok());
  }
  const std::string widest = "a=max-message-size:18446744073709551615";
  EXPECT_EQ(offer(replaced(kChromiumOffer, "a=max-message-size:262144", widest)).max_message_size,
            UINT64_MAX);
  EXPECT_EQ(
      offer(replaced(kChromiumOffer, "message-size:262144", "message-size:0")).max_message_size,
      0u);
}

TEST(Description, TellsTooLargeFromMalformed) {
  const auto code = [](const std::string& text) { return parse_offer(text).error().code; };
  const std::string base(kChromiumOffer);
  EXPECT_EQ(code(base + std::string(kMaxSdpBytes, 'x')), SdpError::Code::kTooLarge);
  EXPECT_EQ(code(base + "a=" + std::string(kMaxLineBytes, 'x')), SdpError::Code::kTooLarge);
  std::string sections = base;
  for (std::size_t i = 0; i < kMaxSections; ++i) sections += "m=audio 9 RTP/AVP 0\r\n";
  EXPECT_EQ(code(sections), SdpError::Code::kTooLarge);
  std::string fingerprints = base;
  for (std::size_t i = 0; i < kMaxFingerprints; ++i) {
    fingerprints += "a=fingerprint:sha-256 " MILLRACE_DIGEST_256 "\r\n";
  }
  EXPECT_EQ(code(fingerprints), SdpError::Code::kTooLarge);
  EXPECT_EQ(code("nonsense"), SdpError::Code::kMalformed);
  EXPECT_EQ(code(std::string(kOfferHead)), SdpError::Code::kUnsupported);
}

TEST(Description, CountsCandidatesBeyondItsLimit) {
  std::string text(kChromiumOffer);
  for (std::size_t i = 0; i < 100; ++i) {
    text += "a=candidate:1 1 udp 1 192.0.2.1 " + std::to_string(1000 + i) + " typ host\r\n";
  }
  const RemoteDescription d = offer(text);
  EXPECT_EQ(d.candidates.size(), kMaxCandidates - 1);  // One was an mDNS name.
  EXPECT_EQ(count(d, CandidateUse::kExcess), 101 - kMaxCandidates);
}

TEST(Description, AnswerMustHaveTakenASide) {
  EXPECT_FALSE(parse_answer(kChromiumOffer).ok());
  EXPECT_EQ(answer(replaced(kChromiumOffer, "actpass", "passive")).setup, Setup::kPassive);
  // RFC 4145 §4.1: the default of an answer.
  EXPECT_EQ(answer(replaced(kChromiumOffer, "a=setup:actpass\r\n", "")).setup, Setup::kActive);
  EXPECT_EQ(offer(replaced(kChromiumOffer, "a=setup:actpass\r\n", "")).setup, Setup::kActpass);
}

TEST(Description, RejectedAnswerIsSaidSo) {
  const ParseResult result =
      parse_answer(replaced(kPionAnswer, "m=application 9", "m=application 0"));
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().to_string(), "line 9: the data section was rejected (port 0)");
  EXPECT_EQ(result.error().code, SdpError::Code::kUnsupported);
}

// RFC 8842 §5.3.
TEST(Description, SetupIsAnsweredByItsComplement) {
  EXPECT_EQ(answer_setup(Setup::kActive, Setup::kActive), Setup::kPassive);
  EXPECT_EQ(answer_setup(Setup::kPassive, Setup::kPassive), Setup::kActive);
  EXPECT_EQ(answer_setup(Setup::kActpass, Setup::kPassive), Setup::kPassive);
  EXPECT_EQ(answer_setup(Setup::kActpass, Setup::kActive), Setup::kActive);
  EXPECT_TRUE(is_dtls_client(Setup::kActive, Setup::kActpass));
  EXPECT_FALSE(is_dtls_client(Setup::kPassive, Setup::kActpass));
  EXPECT_TRUE(is_dtls_client(Setup::kActpass, Setup::kPassive));
  EXPECT_FALSE(is_dtls_client(Setup::kActpass, Setup::kActive));
}

TEST(Description, AnswersChromiumExactly) {
  EXPECT_EQ(build_answer(local_description(), offer(kChromiumOffer)),
            "v=0\r\n"
            "o=- 9223372036854775807 2 IN IP4 127.0.0.1\r\n"
            "s=-\r\n"
            "t=0 0\r\n"
            "a=group:BUNDLE 0\r\n"
            "a=ice-lite\r\n"
            "m=application 3478 UDP/DTLS/SCTP webrtc-datachannel\r\n"
            "c=IN IP4 192.0.2.1\r\n"
            "a=candidate:1 1 udp 2130706431 192.0.2.1 3478 typ host\r\n"
            "a=candidate:2 1 udp 2130706175 2001:db8::1 3478 typ host\r\n"
            "a=end-of-candidates\r\n"
            "a=ice-ufrag:srvufrag\r\n"
            "a=ice-pwd:serverpasswordserverpwd\r\n"
            "a=ice-options:ice2\r\n"
            "a=fingerprint:sha-256 " MILLRACE_DIGEST_256
            "\r\n"
            "a=setup:passive\r\n"
            "a=mid:0\r\n"
            "a=sctp-port:5000\r\n"
            "a=max-message-size:262144\r\n");
}

// RFC 8829 §5.3.1, RFC 8843 §7.3.
TEST(Description, RejectsAudioAndVideoInTheirPlaces) {
  const std::string text = build_answer(local_description(), offer(kChromiumMaxBundleOffer));
  EXPECT_NE(text.find("a=group:BUNDLE 2\r\n"), std::string::npos);
  const std::size_t audio = text.find(
      "m=audio 0 UDP/TLS/RTP/SAVPF 111 63 9 0 8\r\n"
      "c=IN IP4 0.0.0.0\r\na=inactive\r\na=mid:0\r\n");
  const std::size_t video = text.find("m=video 0 UDP/TLS/RTP/SAVPF 96 97\r\n");
  const std::size_t data = text.find("m=application 3478 ");
  EXPECT_LT(audio, video);
  EXPECT_LT(video, data);
  EXPECT_NE(data, std::string::npos);
  const RemoteDescription back = answer(text);
  EXPECT_EQ(back.sections.size(), 3u);
  EXPECT_EQ(back.data_section, 2u);
}

TEST(Description, AnswersAnUngroupedOfferWithoutAGroup) {
  const std::string text = build_answer(local_description(), offer(kLegacyOffer));
  EXPECT_EQ(text.find("a=group"), std::string::npos);
  EXPECT_NE(text.find("m=application 3478 DTLS/SCTP 5000\r\n"), std::string::npos);
  EXPECT_NE(text.find("a=sctpmap:5000 webrtc-datachannel 65535\r\n"), std::string::npos);
  EXPECT_EQ(text.find("a=sctp-port"), std::string::npos);
}

TEST(Description, WithoutCandidatesNamesTheDiscardPort) {
  LocalDescription local = local_description();
  local.candidates.clear();
  EXPECT_NE(build_offer(local).find("m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n"
                                    "c=IN IP4 0.0.0.0\r\n"),
            std::string::npos);
}

TEST(Description, OwnOfferReadsBack) {
  LocalDescription local = local_description();
  local.setup = Setup::kActpass;
  local.ice_lite = false;
  local.sctp_init = "AQAAHg==";
  local.fingerprints = offer(kAiortcOffer).fingerprints;
  const RemoteDescription back = offer(build_offer(local));
  EXPECT_EQ(back.ice, local.ice);
  EXPECT_EQ(back.fingerprints, local.fingerprints);
  EXPECT_EQ(back.candidates, local.candidates);
  EXPECT_EQ(back.setup, Setup::kActpass);
  EXPECT_EQ(back.max_message_size, local.max_message_size);
  EXPECT_EQ(back.sctp_init, local.sctp_init);
  EXPECT_TRUE(back.end_of_candidates);
  EXPECT_TRUE(back.is_bundled);
  EXPECT_FALSE(back.ice_lite);
}

TEST(Description, EveryRealOfferGetsAnAnswerThatReadsBack) {
  for (const std::string_view text : kOffers) {
    const RemoteDescription theirs = offer(text);
    const RemoteDescription back = answer(build_answer(local_description(), theirs));
    EXPECT_EQ(back.sections, theirs.sections);
    EXPECT_EQ(back.ice, local_description().ice);
    EXPECT_TRUE(back.ice_lite);
    EXPECT_EQ(back.candidates.size(), 2u);
    EXPECT_EQ(back.setup, Setup::kPassive);
    EXPECT_EQ(back.is_bundled, theirs.is_bundled);
  }
}

TEST(Description, SurvivesTruncationAtEveryByte) {
  const auto survives = [](std::string_view text) {
    for (std::size_t n = 0; n < text.size(); ++n) {
      // On the heap, so that AddressSanitizer sees a read past the end.
      const std::vector<char> cut(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(n));
      const std::string_view view(cut.data(), cut.size());
      const ParseResult result = parse_offer(view);
      if (!result.ok()) {
        EXPECT_FALSE(result.error().reason.empty());
      }
      (void)parse_answer(view);
    }
  };
  for (const std::string_view text : kOffers) survives(text);
  for (const std::string_view text : kAnswers) survives(text);
}

TEST(Description, SurvivesRandomDamage) {
  SeededRng rng(1);
  for (int round = 0; round < 4000; ++round) {
    std::string text(kOffers[rng.below(kOffers.size())]);
    for (std::uint64_t hits = 1 + rng.below(6); hits > 0; --hits) {
      text[rng.below(text.size())] = static_cast<char>(rng.next());
    }
    const ParseResult result = parse_offer(text);
    if (result.ok()) {
      EXPECT_TRUE(parse_answer(build_answer(local_description(), result.value())).ok()) << text;
      continue;
    }
    const std::string reason = result.error().to_string();
    EXPECT_TRUE(std::all_of(reason.begin(), reason.end(), [](char c) {
      return c >= ' ' && c <= '~';
    })) << reason;
  }
}

}  // namespace
}  // namespace millrace::sdp
