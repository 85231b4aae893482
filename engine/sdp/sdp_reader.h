// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "engine/sdp/sdp_error.h"

namespace millrace::sdp {

// RawAttribute is the text after "a=name:" and the line it stands in. Its view is into
// the text that was read.
struct RawAttribute {
  std::string_view value;
  std::size_t line = 0;

  explicit operator bool() const { return line != 0; }
};

// RawLevel holds the attributes of the session or of one media section that may matter.
// Of an attribute that may stand once, the first one counts.
struct RawLevel {
  RawAttribute ufrag;
  RawAttribute pwd;
  RawAttribute setup;
  RawAttribute mid;
  RawAttribute sctp_port;
  RawAttribute sctpmap;
  RawAttribute max_message_size;
  RawAttribute sctp_init;
  std::vector<RawAttribute> fingerprints;
  std::vector<RawAttribute> candidates;
  std::vector<RawAttribute> bundles;  // Values of a=group:BUNDLE.
  std::size_t excess_candidates = 0;
  bool ice_lite = false;
  bool trickle = false;
  bool end_of_candidates = false;
  bool bundle_only = false;
};

struct RawSection {
  std::size_t line = 0;
  std::string_view media;
  std::string_view protocol;
  std::string_view formats;
  std::uint16_t port = 0;
  RawLevel level;
};

// SdpReader cuts a description into levels without judging the attributes' values, so
// that a fault in a section that is not used does no harm.
class SdpReader {
 public:
  // Returns what is wrong, or nothing. The text must outlive the reader.
  std::optional<SdpError> read(std::string_view text);

  const RawLevel& session() const { return session_; }
  const std::vector<RawSection>& sections() const { return sections_; }

 private:
  std::optional<SdpError> read_line(std::string_view line);
  std::optional<SdpError> read_media(std::string_view value);
  std::optional<SdpError> read_attribute(std::string_view value);
  std::optional<SdpError> keep_bounded(std::vector<RawAttribute>& list, RawAttribute attribute,
                                       std::size_t limit, std::string_view name);
  RawLevel& level() { return sections_.empty() ? session_ : sections_.back().level; }

  std::size_t line_ = 0;
  bool has_version_ = false;
  RawLevel session_;
  std::vector<RawSection> sections_;
};

}  // namespace millrace::sdp
