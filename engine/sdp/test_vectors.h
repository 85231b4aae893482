// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <string_view>

// Descriptions shaped as real stacks write them: line order, line ends, levels and
// attributes are theirs; addresses, ids and digests are made up.
namespace millrace::sdp {

#define MILLRACE_DIGEST_256                                                              \
  "1A:2B:3C:4D:5E:6F:70:81:92:A3:B4:C5:D6:E7:F8:09:1A:2B:3C:4D:5E:6F:70:81:92:A3:B4:C5:" \
  "D6:E7:F8:09"

inline constexpr std::string_view kChromiumOffer =
    "v=0\r\n"
    "o=- 4611732012345678901 2 IN IP4 127.0.0.1\r\n"
    "s=-\r\n"
    "t=0 0\r\n"
    "a=group:BUNDLE 0\r\n"
    "a=extmap-allow-mixed\r\n"
    "a=msid-semantic: WMS\r\n"
    "m=application 51234 UDP/DTLS/SCTP webrtc-datachannel\r\n"
    "c=IN IP4 0.0.0.0\r\n"
    "a=candidate:3412890423 1 udp 2113937151 5a3f1c2e-1b2c-4d5e-8f90-a1b2c3d4e5f6.local 51234 typ "
    "host generation 0 network-cost 999\r\n"
    "a=ice-ufrag:Xy9Z\r\n"
    "a=ice-pwd:sO0meRand0mPassw0rd/1234\r\n"
    "a=ice-options:trickle\r\n"
    "a=fingerprint:sha-256 " MILLRACE_DIGEST_256
    "\r\n"
    "a=setup:actpass\r\n"
    "a=mid:0\r\n"
    "a=sctp-port:5000\r\n"
    "a=max-message-size:262144\r\n";

// Field trial WebRtcSctpSnap: the INIT travels in the description.
inline constexpr std::string_view kChromiumSnapOffer =
    "v=0\r\n"
    "o=- 1 2 IN IP4 127.0.0.1\r\n"
    "s=-\r\n"
    "t=0 0\r\n"
    "a=group:BUNDLE 0\r\n"
    "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n"
    "c=IN IP4 0.0.0.0\r\n"
    "a=ice-ufrag:Xy9Z\r\n"
    "a=ice-pwd:sO0meRand0mPassw0rd/1234\r\n"
    "a=fingerprint:sha-256 " MILLRACE_DIGEST_256
    "\r\n"
    "a=setup:actpass\r\n"
    "a=mid:0\r\n"
    "a=sctp-port:5000\r\n"
    "a=sctp-init:AQAAHhI0VngAUAAA//////aXgAjAAAAEgAgABsCC\r\n"
    "a=max-message-size:262144\r\n";

// Audio is the BUNDLE-tagged section, data the last, as with bundlePolicy max-bundle.
inline constexpr std::string_view kChromiumMaxBundleOffer =
    "v=0\r\n"
    "o=- 1 2 IN IP4 127.0.0.1\r\n"
    "s=-\r\n"
    "t=0 0\r\n"
    "a=group:BUNDLE 0 1 2\r\n"
    "m=audio 50000 UDP/TLS/RTP/SAVPF 111 63 9 0 8\r\n"
    "c=IN IP4 192.0.2.5\r\n"
    "a=rtcp:9 IN IP4 0.0.0.0\r\n"
    "a=candidate:1 1 udp 2113937151 192.0.2.5 50000 typ host\r\n"
    "a=candidate:1 2 udp 2113937150 192.0.2.5 50001 typ host\r\n"
    "a=ice-ufrag:tagd\r\n"
    "a=ice-pwd:taggedpasswordtaggedpass\r\n"
    "a=fingerprint:sha-256 " MILLRACE_DIGEST_256
    "\r\n"
    "a=setup:actpass\r\n"
    "a=mid:0\r\n"
    "a=sendrecv\r\n"
    "a=rtpmap:111 opus/48000/2\r\n"
    "m=video 0 UDP/TLS/RTP/SAVPF 96 97\r\n"
    "c=IN IP4 0.0.0.0\r\n"
    "a=mid:1\r\n"
    "a=bundle-only\r\n"
    "m=application 0 UDP/DTLS/SCTP webrtc-datachannel\r\n"
    "c=IN IP4 0.0.0.0\r\n"
    "a=bundle-only\r\n"
    "a=mid:2\r\n"
    "a=sctp-port:5000\r\n"
    "a=max-message-size:262144\r\n";

inline constexpr std::string_view kFirefoxOffer =
    "v=0\r\n"
    "o=mozilla...THIS_IS_SDPARTA-99.0 7316290811337203982 0 IN IP4 0.0.0.0\r\n"
    "s=-\r\n"
    "t=0 0\r\n"
    "a=fingerprint:sha-256 " MILLRACE_DIGEST_256
    "\r\n"
    "a=group:BUNDLE 0\r\n"
    "a=ice-options:trickle\r\n"
    "a=msid-semantic:WMS *\r\n"
    "m=application 40001 UDP/DTLS/SCTP webrtc-datachannel\r\n"
    "c=IN IP4 192.0.2.33\r\n"
    "a=candidate:0 1 UDP 2122252543 192.0.2.33 40001 typ host\r\n"
    "a=candidate:2 1 TCP 2105524479 192.0.2.33 9 typ host tcptype active\r\n"
    "a=candidate:3 1 UDP 2122187007 2001:db8::33 40002 typ host\r\n"
    "a=sendrecv\r\n"
    "a=end-of-candidates\r\n"
    "a=ice-pwd:0123456789abcdef0123456789abcdef\r\n"
    "a=ice-ufrag:fedcba98\r\n"
    "a=mid:0\r\n"
    "a=setup:actpass\r\n"
    "a=sctp-port:5000\r\n"
    "a=max-message-size:1073741823\r\n";

inline constexpr std::string_view kPionAnswer =
    "v=0\r\n"
    "o=- 5512930489102938475 1732372800 IN IP4 0.0.0.0\r\n"
    "s=-\r\n"
    "t=0 0\r\n"
    "a=msid-semantic:WMS*\r\n"
    "a=fingerprint:sha-256 " MILLRACE_DIGEST_256
    "\r\n"
    "a=extmap-allow-mixed\r\n"
    "a=group:BUNDLE 0\r\n"
    "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n"
    "c=IN IP4 0.0.0.0\r\n"
    "a=setup:active\r\n"
    "a=mid:0\r\n"
    "a=sendrecv\r\n"
    "a=sctp-port:5000\r\n"
    "a=max-message-size:1073741823\r\n"
    "a=ice-ufrag:pIoNuFrAgAbCdEfG\r\n"
    "a=ice-pwd:pionpasswordpionpasswordpionpass\r\n"
    "a=candidate:2515747431 1 udp 2130706431 127.0.0.1 45678 typ host ufrag pIoNuFrAgAbCdEfG\r\n"
    "a=candidate:2515747431 2 udp 2130706431 127.0.0.1 45678 typ host ufrag pIoNuFrAgAbCdEfG\r\n"
    "a=end-of-candidates\r\n";

inline constexpr std::string_view kLibdatachannelOffer =
    "v=0\r\n"
    "o=rtc 3457110986 0 IN IP4 127.0.0.1\r\n"
    "s=-\r\n"
    "t=0 0\r\n"
    "a=group:BUNDLE 0\r\n"
    "a=group:LS 0\r\n"
    "a=msid-semantic:WMS *\r\n"
    "a=setup:actpass\r\n"
    "a=ice-ufrag:c8Qz\r\n"
    "a=ice-pwd:Ab+/libjuicelibjuiceAb\r\n"
    "a=ice-options:ice2,trickle\r\n"
    "a=fingerprint:sha-256 " MILLRACE_DIGEST_256
    "\r\n"
    "m=application 47312 UDP/DTLS/SCTP webrtc-datachannel\r\n"
    "c=IN IP4 192.0.2.40\r\n"
    "a=mid:0\r\n"
    "a=sendrecv\r\n"
    "a=sctp-port:5000\r\n"
    "a=max-message-size:262144\r\n"
    "a=candidate:1 1 UDP 2122317823 192.0.2.40 47312 typ host\r\n"
    "a=end-of-candidates\r\n";

inline constexpr std::string_view kWeriftOffer =
    "v=0\r\n"
    "o=- 46379210 0 IN IP4 0.0.0.0\r\n"
    "s=-\r\n"
    "t=0 0\r\n"
    "a=group:BUNDLE 0\r\n"
    "a=extmap-allow-mixed\r\n"
    "a=msid-semantic:WMS *\r\n"
    "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n"
    "c=IN IP4 0.0.0.0\r\n"
    "a=candidate:0d5f60c65ec6adc1c2c15f0af8cb5b5c 1 udp 2130706431 127.0.0.1 41873 typ host\r\n"
    "a=end-of-candidates\r\n"
    "a=ice-ufrag:a1b2\r\n"
    "a=ice-pwd:c3d4e5f6a7b8c9d0e1f2a3\r\n"
    "a=ice-options:trickle\r\n"
    "a=fingerprint:sha-256 " MILLRACE_DIGEST_256
    "\r\n"
    "a=setup:actpass\r\n"
    "a=mid:0\r\n"
    "a=sctp-port:5000\r\n"
    "a=max-message-size:65536\r\n";

// Several fingerprints, as aiortc states them.
inline constexpr std::string_view kAiortcOffer =
    "v=0\r\n"
    "o=- 3941360000 3941360000 IN IP4 0.0.0.0\r\n"
    "s=-\r\n"
    "t=0 0\r\n"
    "a=group:BUNDLE 0\r\n"
    "a=msid-semantic:WMS *\r\n"
    "m=application 38211 UDP/DTLS/SCTP webrtc-datachannel\r\n"
    "c=IN IP4 192.0.2.50\r\n"
    "a=mid:0\r\n"
    "a=sctp-port:5000\r\n"
    "a=max-message-size:65536\r\n"
    "a=candidate:0f1e2d3c4b5a69788796a5b4c3d2e1f0 1 udp 2130706431 192.0.2.50 38211 typ host\r\n"
    "a=end-of-candidates\r\n"
    "a=ice-ufrag:Q1w2\r\n"
    "a=ice-pwd:Q1w2E3r4T5y6U7i8O9p0As\r\n"
    "a=fingerprint:sha-256 " MILLRACE_DIGEST_256
    "\r\n"
    "a=fingerprint:sha-384 " MILLRACE_DIGEST_256
    ":11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00\r\n"
    "a=fingerprint:sha-512 " MILLRACE_DIGEST_256 ":" MILLRACE_DIGEST_256
    "\r\n"
    "a=setup:actpass\r\n";

// LF line ends, session-level fingerprint, no max-message-size.
inline constexpr std::string_view kWebrtcRsAnswer =
    "v=0\n"
    "o=- 6124780915738223917 573899000 IN IP4 0.0.0.0\n"
    "s=-\n"
    "t=0 0\n"
    "a=fingerprint:sha-256 " MILLRACE_DIGEST_256
    "\n"
    "a=group:BUNDLE 0\n"
    "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\n"
    "c=IN IP4 0.0.0.0\n"
    "a=setup:active\n"
    "a=mid:0\n"
    "a=sendrecv\n"
    "a=sctp-port:5000\n"
    "a=ice-ufrag:rUsTyUfRaGrUsTyU\n"
    "a=ice-pwd:rustypasswordrustypasswordrustyp\n"
    "a=candidate:167090039 1 udp 2130706431 ::1 51000 typ host\n"
    "a=candidate:3942108231 1 udp 2130706431 192.0.2.60 51000 typ host\n"
    "a=end-of-candidates\n";

// The form before RFC 8841.
inline constexpr std::string_view kLegacyOffer =
    "v=0\r\n"
    "o=- 1 2 IN IP4 127.0.0.1\r\n"
    "s=-\r\n"
    "t=0 0\r\n"
    "m=application 9 DTLS/SCTP 5000\r\n"
    "c=IN IP4 0.0.0.0\r\n"
    "a=ice-ufrag:Xy9Z\r\n"
    "a=ice-pwd:sO0meRand0mPassw0rd/1234\r\n"
    "a=fingerprint:sha-256 " MILLRACE_DIGEST_256
    "\r\n"
    "a=setup:actpass\r\n"
    "a=mid:data\r\n"
    "a=sctpmap:5000 webrtc-datachannel 1024\r\n";

inline constexpr std::array kOffers = {
    kChromiumOffer, kChromiumSnapOffer,   kChromiumMaxBundleOffer,
    kFirefoxOffer,  kLibdatachannelOffer, kWeriftOffer,
    kAiortcOffer,   kLegacyOffer};
inline constexpr std::array kAnswers = {kPionAnswer, kWebrtcRsAnswer};

}  // namespace millrace::sdp
