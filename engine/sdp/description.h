// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/result.h"
#include "engine/ice/candidate.h"
#include "engine/ice/credentials.h"
#include "engine/sdp/candidate_attribute.h"
#include "engine/sdp/fingerprint.h"
#include "engine/sdp/sdp_error.h"

// Session descriptions for data channels: RFC 8866 (SDP), 8829 (JSEP), 8839 (ICE), 8122
// and 8842 (DTLS), 8841 (SCTP), 8843 (BUNDLE). Parsing is strict in what it uses and
// lenient in all else: unknown attributes are skipped, a candidate that cannot be used
// is counted, audio and video are noted so that an answer can reject them.
namespace millrace::sdp {

inline constexpr std::size_t kMaxSdpBytes = 64 * 1024;
inline constexpr std::size_t kMaxLineBytes = 8 * 1024;
inline constexpr std::size_t kMaxSections = 64;
inline constexpr std::size_t kMaxCandidates = 32;
inline constexpr std::size_t kMaxFingerprints = 8;
inline constexpr std::size_t kMaxTokenBytes = 256;  // Of a mid, a media name, a protocol.

// RFC 8841 §6.1: what a peer accepts that does not say.
inline constexpr std::uint64_t kDefaultMaxMessageSize = 65536;
inline constexpr std::uint16_t kDefaultSctpPort = 5000;

// Setup is a=setup (RFC 4145 §4, RFC 8842 §5): who begins the DTLS handshake.
enum class Setup : std::uint8_t { kActpass, kActive, kPassive };

// MediaSection is what an answer must repeat of a section of the offer.
struct MediaSection {
  std::string media;     // "application", "audio", "video".
  std::string protocol;  // "UDP/DTLS/SCTP".
  std::string formats;   // "webrtc-datachannel"; "111 63 9"; "5000" (of old).
  std::string mid;       // Empty where absent.

  friend bool operator==(const MediaSection&, const MediaSection&) = default;
};

// RemoteDescription is a parsed offer or answer: the transport of its data section, with
// what session level and the BUNDLE-tagged section lend to it.
struct RemoteDescription {
  ice::Credentials ice;
  bool ice_lite = false;
  bool trickle = false;  // a=ice-options:trickle.
  bool end_of_candidates = false;
  std::vector<Fingerprint> fingerprints;  // At least one; any may match (RFC 8122 §5).
  Setup setup = Setup::kActpass;
  std::vector<ice::Candidate> candidates;
  // How many candidates met each fate.
  std::array<std::uint32_t, static_cast<std::size_t>(CandidateUse::kCount)> candidate_uses{};
  std::uint16_t sctp_port = kDefaultSctpPort;
  std::uint64_t max_message_size = kDefaultMaxMessageSize;  // 0: no limit (RFC 8841 §6.1).
  std::optional<std::string> sctp_init;  // a=sctp-init as it stands: base64 of an INIT.
  std::vector<MediaSection> sections;    // All of them, in order.
  std::size_t data_section = 0;          // Index of the data section in `sections`.
  bool is_bundled = false;               // The data section is in a BUNDLE group.
  bool legacy_sctp = false;              // "DTLS/SCTP 5000" with a=sctpmap.

  const MediaSection& data() const { return sections[data_section]; }
};

using ParseResult = Result<RemoteDescription, SdpError>;

// parse_offer and parse_answer read what a peer sent. They differ in a=setup (an answer
// has taken a side: "actpass" is an error) and in nothing else. Any bytes may come.
ParseResult parse_offer(std::string_view text);
ParseResult parse_answer(std::string_view text);

// answer_setup chooses our side for an offer: the complement of what it insists upon, or
// `preference` (kActive or kPassive) where it leaves the choice. RFC 8842 §5.3 advises
// active: it saves a flight where the offerer's address is known.
Setup answer_setup(Setup offered, Setup preference);

// is_dtls_client tells our role from what we stated and what the peer stated.
inline bool is_dtls_client(Setup ours, Setup theirs) {
  return ours == Setup::kActive || (ours == Setup::kActpass && theirs == Setup::kPassive);
}

// LocalDescription is what millrace states about itself.
struct LocalDescription {
  std::uint64_t session_id = 0;  // Random; its upper bit is not used (RFC 8829 §5.2.1).
  ice::Credentials ice;
  bool ice_lite = false;
  std::vector<Fingerprint> fingerprints;
  Setup setup = Setup::kActpass;
  std::uint16_t sctp_port = kDefaultSctpPort;
  std::uint64_t max_message_size = kDefaultMaxMessageSize;
  std::string sctp_init;  // Empty: no a=sctp-init.
  // By falling preference; the first is the default candidate of m= and c=. All of them:
  // a=end-of-candidates follows.
  std::vector<ice::Candidate> candidates;
};

// build_offer writes an offer with one data section, mid "0". CRLF line ends.
std::string build_offer(const LocalDescription& local);
// build_answer accepts the data section of `offer` and rejects every other (port 0).
// `local.setup` must be what `answer_setup` returned.
std::string build_answer(const LocalDescription& local, const RemoteDescription& offer);

}  // namespace millrace::sdp
