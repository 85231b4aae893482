// SPDX-License-Identifier: Apache-2.0
#include "engine/signalling.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "crypto/base64.h"

namespace millrace::engine {
namespace {

std::string reason_for(std::string sctp_init) {
  const Settings settings;
  sdp::RemoteDescription remote;
  remote.sctp_init = std::move(sctp_init);
  const auto terms = terms_of(settings, remote);
  return terms.ok() ? "" : terms.error().reason;
}

std::vector<std::uint8_t> an_init() {
  return sctp::make_init({}, {sctp::VerificationTag(1), sctp::Tsn(1)});
}

TEST(Signalling, TakesAnInitAndRefusesWhatIsNone) {
  EXPECT_EQ(reason_for(crypto::encode_base64(an_init())), "");
  EXPECT_EQ(reason_for(""), "a=sctp-init: '' is not an SCTP INIT in base 64");
  EXPECT_EQ(reason_for("AQA*"), "a=sctp-init: 'AQA*' is not an SCTP INIT in base 64");
  EXPECT_EQ(reason_for("AQAA"), "a=sctp-init: 'AQAA' is not an SCTP INIT in base 64");
}

// RFC 9260 §3.3.2.
TEST(Signalling, TellsWhyAnInitCannotBeTaken) {
  const struct {
    std::size_t offset;
    std::vector<std::uint8_t> bytes;
    const char* why;
  } kCases[] = {
      {4, {0, 0, 0, 0}, "its initiate tag is 0"},
      {8, {0, 0, 0, 0}, "its a_rwnd of 0 is too small"},
      {12, {0, 0}, "it has no outbound streams"},
      {14, {0, 0}, "it has no inbound streams"},
      {22, {0, 0}, "its parameters are malformed, or name a host"},
  };
  for (const auto& [offset, bytes, why] : kCases) {
    std::vector<std::uint8_t> init = an_init();
    ASSERT_GT(init.size(), offset + bytes.size());
    std::copy(bytes.begin(), bytes.end(), init.begin() + static_cast<std::ptrdiff_t>(offset));
    const std::string value = crypto::encode_base64(init);
    EXPECT_EQ(reason_for(value), "a=sctp-init: '" + value.substr(0, 64) +
                                     "' is an SCTP INIT that cannot be taken: " + why);
  }
}

}  // namespace
}  // namespace millrace::engine
