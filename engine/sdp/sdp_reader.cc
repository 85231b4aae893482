// SPDX-License-Identifier: Apache-2.0
#include "engine/sdp/sdp_reader.h"

#include <algorithm>
#include <array>

#include "engine/sdp/description.h"
#include "engine/sdp/text.h"

namespace millrace::sdp {
namespace {

SdpError too_large(std::size_t line, std::string reason) {
  return SdpError{SdpError::Code::kTooLarge, line, std::move(reason)};
}

bool has_control_character(std::string_view line) {
  return std::any_of(line.begin(), line.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte < 0x20 && byte != '\t') || byte == 0x7F;
  });
}

bool has_word(std::string_view list, std::string_view wanted) {
  while (!list.empty()) {
    if (next_word(list) == wanted) return true;
  }
  return false;
}

// The attributes that may stand once in a level, by name.
struct SingleAttribute {
  std::string_view name;
  RawAttribute RawLevel::*field;
};
constexpr std::array<SingleAttribute, 8> kSingles = {{
    {"ice-ufrag", &RawLevel::ufrag},
    {"ice-pwd", &RawLevel::pwd},
    {"setup", &RawLevel::setup},
    {"mid", &RawLevel::mid},
    {"sctp-port", &RawLevel::sctp_port},
    {"sctpmap", &RawLevel::sctpmap},
    {"max-message-size", &RawLevel::max_message_size},
    {"sctp-init", &RawLevel::sctp_init},
}};

}  // namespace

std::optional<SdpError> SdpReader::read(std::string_view text) {
  if (text.size() > kMaxSdpBytes) {
    return too_large(0,
                     "the description is larger than " + std::to_string(kMaxSdpBytes) + " bytes");
  }
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    ++line_;
    // RFC 8866 §5: CRLF; a bare LF is to be taken too.
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) continue;
    if (std::optional<SdpError> error = read_line(line)) return error;
  }
  if (!has_version_) return malformed(0, "the description is empty");
  return std::nullopt;
}

std::optional<SdpError> SdpReader::read_line(std::string_view line) {
  if (line.size() > kMaxLineBytes) {
    return too_large(line_, "longer than " + std::to_string(kMaxLineBytes) + " bytes");
  }
  if (has_control_character(line)) return malformed(line_, "a control character");
  if (!has_version_) {
    if (line != "v=0") return malformed(line_, "expected \"v=0\", found " + quoted(line));
    has_version_ = true;
    return std::nullopt;
  }
  if (line.size() < 2 || line[0] < 'a' || line[0] > 'z' || line[1] != '=') {
    return malformed(line_, "expected <letter>=<value>, found " + quoted(line));
  }
  const std::string_view value = line.substr(2);
  if (line[0] == 'm') return read_media(value);
  if (line[0] == 'a') return read_attribute(value);
  return std::nullopt;
}

// RFC 8866 §5.14: <media> <port>[/<number of ports>] <proto> <fmt> ...
std::optional<SdpError> SdpReader::read_media(std::string_view value) {
  if (sections_.size() == kMaxSections) {
    return too_large(line_, "more than " + std::to_string(kMaxSections) + " m= sections");
  }
  RawSection section;
  section.line = line_;
  section.media = next_word(value);
  const std::string_view port_field = next_word(value);
  section.protocol = next_word(value);
  const std::size_t formats_begin = std::min(value.find_first_not_of(' '), value.size());
  section.formats = value.substr(formats_begin);
  const auto port = parse_number<std::uint16_t>(port_field.substr(0, port_field.find('/')));
  if (!port) return malformed(line_, "m=: bad port " + quoted(port_field));
  if (section.formats.empty()) return malformed(line_, "m=: expected media port protocol format");
  if (section.media.size() > kMaxTokenBytes || section.protocol.size() > kMaxTokenBytes) {
    return malformed(line_, "m=: a word is too long");
  }
  section.port = *port;
  sections_.push_back(std::move(section));
  return std::nullopt;
}

std::optional<SdpError> SdpReader::read_attribute(std::string_view value) {
  const std::size_t colon = std::min(value.find(':'), value.size());
  const std::string_view name = value.substr(0, colon);
  const RawAttribute attribute{value.substr(std::min(colon + 1, value.size())), line_};
  RawLevel& here = level();
  for (const SingleAttribute& single : kSingles) {
    if (name != single.name) continue;
    if (!(here.*single.field)) here.*single.field = attribute;
    return std::nullopt;
  }
  if (name == "candidate") {
    if (here.candidates.size() < kMaxCandidates) {
      here.candidates.push_back(attribute);
    } else {
      ++here.excess_candidates;
    }
  } else if (name == "fingerprint") {
    return keep_bounded(here.fingerprints, attribute, kMaxFingerprints, name);
  } else if (name == "group") {
    std::string_view rest = attribute.value;
    if (next_word(rest) == "BUNDLE") {
      return keep_bounded(here.bundles, RawAttribute{rest, line_}, kMaxSections, name);
    }
  } else if (name == "ice-lite") {
    here.ice_lite = true;
  } else if (name == "ice-options") {
    here.trickle = here.trickle || has_word(attribute.value, "trickle");
  } else if (name == "end-of-candidates") {
    here.end_of_candidates = true;
  } else if (name == "bundle-only") {
    here.bundle_only = true;
  }
  return std::nullopt;
}

std::optional<SdpError> SdpReader::keep_bounded(std::vector<RawAttribute>& list,
                                                RawAttribute attribute, std::size_t limit,
                                                std::string_view name) {
  if (list.size() == limit) {
    return too_large(line_, "more than " + std::to_string(limit) + " of a=" + std::string(name));
  }
  list.push_back(attribute);
  return std::nullopt;
}

}  // namespace millrace::sdp
