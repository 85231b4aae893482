// SPDX-License-Identifier: Apache-2.0
//
// Whatever parses as an offer must get an answer that parses.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "engine/base/check.h"
#include "engine/sdp/description.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace millrace;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const sdp::ParseResult answer = sdp::parse_answer(text);
  if (!answer.ok()) CHECK(!answer.error().reason.empty());

  const sdp::ParseResult offer = sdp::parse_offer(text);
  if (!offer.ok()) return 0;
  CHECK(!offer.value().fingerprints.empty());
  CHECK(offer.value().candidates.size() <= sdp::kMaxCandidates);

  sdp::LocalDescription local;
  local.ice = {"srvufrag", "serverpasswordserverpwd"};
  local.fingerprints = offer.value().fingerprints;
  local.setup = sdp::answer_setup(offer.value().setup, sdp::Setup::kPassive);
  local.candidates = offer.value().candidates;
  const std::string text_back = sdp::build_answer(local, offer.value());
  const sdp::ParseResult back = sdp::parse_answer(text_back);
  // Only its size can speak against an answer: it repeats what the offer held.
  CHECK(back.ok() || back.error().code == sdp::SdpError::Code::kTooLarge);
  if (!back.ok()) return 0;
  // In the form before RFC 8841 the format is each side's own port.
  CHECK(offer.value().legacy_sctp || back.value().sections == offer.value().sections);
  CHECK(back.value().data_section == offer.value().data_section);
  return 0;
}
