// SPDX-License-Identifier: Apache-2.0
#include "engine/base/check.h"
#include "engine/sdp/description.h"

namespace millrace::sdp {
namespace {

constexpr std::string_view kEnd = "\r\n";
constexpr std::string_view kOfferMid = "0";

std::string_view setup_name(Setup setup) {
  switch (setup) {
    case Setup::kActpass:
      return "actpass";
    case Setup::kActive:
      return "active";
    case Setup::kPassive:
      return "passive";
  }
  return "actpass";
}

// Lines collects lines of SDP.
class Lines {
 public:
  template <class... Parts>
  void add(const Parts&... parts) {
    ((text_ += parts), ...);
    text_ += kEnd;
  }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

void add_session(Lines& lines, const LocalDescription& local, std::string_view bundle) {
  // RFC 8829 §5.2.1: 63 bits, the highest one zero.
  const std::uint64_t id = local.session_id & (UINT64_MAX >> 1);
  lines.add("v=0");
  lines.add("o=- ", std::to_string(id), " 2 IN IP4 127.0.0.1");
  lines.add("s=-");
  lines.add("t=0 0");
  if (!bundle.empty()) lines.add("a=group:BUNDLE ", bundle);
  // RFC 8839 §5.3: session level only.
  if (local.ice_lite) lines.add("a=ice-lite");
}

// The m= and c= lines carry the default candidate (RFC 8839 §4.2.1.2).
void add_data_head(Lines& lines, const LocalDescription& local, const MediaSection& section) {
  const bool has_default = !local.candidates.empty();
  const Address address =
      has_default ? local.candidates[0].address : Address{IpAddress::v4(0, 0, 0, 0), 9};
  IpAddress ip = address.ip;
  ip.scope_id = 0;
  lines.add("m=", section.media, " ", std::to_string(address.port), " ", section.protocol, " ",
            section.formats);
  lines.add("c=IN ", ip.is_v6() ? "IP6 " : "IP4 ", ip.to_string());
}

void add_data_section(Lines& lines, const LocalDescription& local, const MediaSection& section,
                      bool legacy) {
  add_data_head(lines, local, section);
  for (const ice::Candidate& candidate : local.candidates) {
    lines.add("a=", format_candidate(candidate));
  }
  lines.add("a=end-of-candidates");
  lines.add("a=ice-ufrag:", local.ice.ufrag);
  lines.add("a=ice-pwd:", local.ice.pwd);
  lines.add("a=ice-options:ice2");
  for (const Fingerprint& fingerprint : local.fingerprints) {
    lines.add("a=fingerprint:", fingerprint.to_string());
  }
  lines.add("a=setup:", setup_name(local.setup));
  if (!section.mid.empty()) lines.add("a=mid:", section.mid);
  if (legacy) {
    lines.add("a=sctpmap:", section.formats, " webrtc-datachannel 65535");
  } else {
    lines.add("a=sctp-port:", std::to_string(local.sctp_port));
  }
  lines.add("a=max-message-size:", std::to_string(local.max_message_size));
  if (!local.sctp_init.empty()) lines.add("a=sctp-init:", local.sctp_init);
}

// RFC 8829 §5.3.1: a rejected section keeps its place, media, protocol and formats.
void add_rejected_section(Lines& lines, const MediaSection& section) {
  lines.add("m=", section.media, " 0 ", section.protocol, " ", section.formats);
  lines.add("c=IN IP4 0.0.0.0");
  lines.add("a=inactive");
  if (!section.mid.empty()) lines.add("a=mid:", section.mid);
}

}  // namespace

Setup answer_setup(Setup offered, Setup preference) {
  CHECK(preference != Setup::kActpass);
  switch (offered) {
    case Setup::kActive:
      return Setup::kPassive;
    case Setup::kPassive:
      return Setup::kActive;
    case Setup::kActpass:
      return preference;
  }
  return preference;
}

std::string build_offer(const LocalDescription& local) {
  Lines lines;
  add_session(lines, local, kOfferMid);
  const MediaSection section{.media = "application",
                             .protocol = "UDP/DTLS/SCTP",
                             .formats = "webrtc-datachannel",
                             .mid = std::string(kOfferMid)};
  add_data_section(lines, local, section, false);
  return lines.take();
}

std::string build_answer(const LocalDescription& local, const RemoteDescription& offer) {
  Lines lines;
  // RFC 8843 §7.3: the group holds what was accepted, and only what the offer grouped.
  add_session(lines, local, offer.is_bundled ? std::string_view(offer.data().mid) : "");
  for (std::size_t i = 0; i < offer.sections.size(); ++i) {
    if (i == offer.data_section) {
      MediaSection section = offer.sections[i];
      if (offer.legacy_sctp) section.formats = std::to_string(local.sctp_port);
      add_data_section(lines, local, section, offer.legacy_sctp);
    } else {
      add_rejected_section(lines, offer.sections[i]);
    }
  }
  return lines.take();
}

}  // namespace millrace::sdp
