// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>

#include "engine/sdp/description.h"
#include "engine/sdp/sdp_reader.h"
#include "engine/sdp/text.h"

namespace millrace::sdp {
namespace {

using MaybeError = std::optional<SdpError>;

SdpError unsupported(std::size_t line, std::string reason) {
  return SdpError{SdpError::Code::kUnsupported, line, std::move(reason)};
}

std::string_view first_word(std::string_view text) { return next_word(text); }

bool is_legacy(const RawSection& section) { return section.protocol == "DTLS/SCTP"; }

bool is_data_section(const RawSection& section) {
  if (section.media != "application") return false;
  // Drafts of RFC 8841 named the SCTP port where the format stands now.
  if (is_legacy(section))
    return parse_number<std::uint16_t>(first_word(section.formats)).has_value();
  return (section.protocol == "UDP/DTLS/SCTP" || section.protocol == "TCP/DTLS/SCTP") &&
         first_word(section.formats) == "webrtc-datachannel";
}

// Resolver gathers the data section's transport from the levels that lend to it.
class Resolver {
 public:
  Resolver(const SdpReader& reader, bool is_answer) : reader_(reader), is_answer_(is_answer) {}

  ParseResult resolve();

 private:
  MaybeError resolve_sections();
  MaybeError resolve_credentials();
  MaybeError resolve_fingerprints();
  MaybeError resolve_setup();
  MaybeError resolve_sctp();
  void resolve_candidates();
  // The first section of the BUNDLE group that holds the data section, or none.
  const RawSection* find_bundle_tagged();
  // The nearest level whose `field` is set, or none.
  const RawLevel* level_with(RawAttribute RawLevel::*field) const;

  const SdpReader& reader_;
  const bool is_answer_;
  const RawSection* data_ = nullptr;
  std::vector<const RawLevel*> levels_;  // Nearest first.
  RemoteDescription out_;
};

ParseResult Resolver::resolve() {
  if (MaybeError error = resolve_sections()) return Failure(std::move(*error));
  if (MaybeError error = resolve_credentials()) return Failure(std::move(*error));
  if (MaybeError error = resolve_fingerprints()) return Failure(std::move(*error));
  if (MaybeError error = resolve_setup()) return Failure(std::move(*error));
  if (MaybeError error = resolve_sctp()) return Failure(std::move(*error));
  resolve_candidates();
  for (const RawLevel* level : levels_) {
    out_.ice_lite = out_.ice_lite || level->ice_lite;
    out_.trickle = out_.trickle || level->trickle;
    out_.end_of_candidates = out_.end_of_candidates || level->end_of_candidates;
  }
  return std::move(out_);
}

MaybeError Resolver::resolve_sections() {
  for (const RawSection& section : reader_.sections()) {
    const RawAttribute& mid = section.level.mid;
    if (mid.value.size() > kMaxTokenBytes) return malformed(mid.line, "a=mid: too long");
    if (data_ == nullptr && is_data_section(section)) {
      data_ = &section;
      out_.data_section = out_.sections.size();
    }
    out_.sections.push_back(MediaSection{.media = std::string(section.media),
                                         .protocol = std::string(section.protocol),
                                         .formats = std::string(section.formats),
                                         .mid = std::string(mid.value)});
  }
  if (data_ == nullptr) {
    return unsupported(0, "no m=application section for data channels");
  }
  if (data_->port == 0 && !data_->level.bundle_only) {
    return unsupported(data_->line, is_answer_ ? "the data section was rejected (port 0)"
                                               : "the data section is switched off (port 0)");
  }
  out_.legacy_sctp = is_legacy(*data_);
  // RFC 8843 §7.1.3: a bundle-only section leaves its transport to the tagged one. Other
  // stacks leave it out elsewhere too: the tagged section is then the last resort.
  levels_.push_back(&data_->level);
  const RawSection* const tagged = find_bundle_tagged();
  if (tagged != nullptr && data_->level.bundle_only) levels_.push_back(&tagged->level);
  levels_.push_back(&reader_.session());
  if (tagged != nullptr && !data_->level.bundle_only) levels_.push_back(&tagged->level);
  return std::nullopt;
}

const RawSection* Resolver::find_bundle_tagged() {
  const std::string_view mid = data_->level.mid.value;
  for (const RawAttribute& bundle : reader_.session().bundles) {
    std::string_view rest = bundle.value;
    const std::string_view tag = next_word(rest);
    bool holds_data = tag == mid;
    while (!rest.empty()) holds_data = next_word(rest) == mid || holds_data;
    if (mid.empty() || !holds_data) continue;
    out_.is_bundled = true;
    const auto& sections = reader_.sections();
    const auto tagged = std::find_if(sections.begin(), sections.end(), [tag](const RawSection& s) {
      return s.level.mid.value == tag;
    });
    return tagged == sections.end() ? nullptr : &*tagged;
  }
  return nullptr;
}

const RawLevel* Resolver::level_with(RawAttribute RawLevel::*field) const {
  const auto level = std::find_if(levels_.begin(), levels_.end(),
                                  [field](const RawLevel* l) { return bool(l->*field); });
  return level == levels_.end() ? nullptr : *level;
}

MaybeError Resolver::resolve_credentials() {
  const RawLevel* const level = level_with(&RawLevel::ufrag);
  if (level == nullptr) return malformed(0, "a=ice-ufrag is missing");
  if (!level->pwd) return malformed(0, "a=ice-pwd is missing");
  // RFC 8839 §5.4.
  if (!ice::is_valid_ufrag(level->ufrag.value)) {
    return malformed(level->ufrag.line, "a=ice-ufrag: expected 4 to 256 ice-chars");
  }
  if (!ice::is_valid_pwd(level->pwd.value)) {
    return malformed(level->pwd.line, "a=ice-pwd: expected 22 to 256 ice-chars");
  }
  out_.ice.ufrag = level->ufrag.value;
  out_.ice.pwd = level->pwd.value;
  return std::nullopt;
}

MaybeError Resolver::resolve_fingerprints() {
  const auto level = std::find_if(levels_.begin(), levels_.end(),
                                  [](const RawLevel* l) { return !l->fingerprints.empty(); });
  if (level == levels_.end()) return malformed(0, "a=fingerprint is missing");
  MaybeError unknown;
  for (const RawAttribute& raw : (*level)->fingerprints) {
    const std::string_view hash = first_word(raw.value);
    if (!fingerprint_hash_of(hash)) {
      // RFC 8122 §5: of several, those of unknown hashes are passed over.
      if (!unknown) {
        unknown = unsupported(raw.line, "a=fingerprint: unknown hash " + quoted(hash));
      }
      continue;
    }
    const std::optional<Fingerprint> fingerprint = Fingerprint::parse(raw.value);
    if (!fingerprint) {
      return malformed(raw.line, "a=fingerprint: not a " + std::string(hash) + " digest");
    }
    out_.fingerprints.push_back(*fingerprint);
  }
  if (out_.fingerprints.empty()) return unknown;
  return std::nullopt;
}

MaybeError Resolver::resolve_setup() {
  const RawLevel* const level = level_with(&RawLevel::setup);
  if (level == nullptr) {
    // Not allowed by RFC 8842 §5.1; taken as RFC 4145 §4.1 meant it before.
    out_.setup = is_answer_ ? Setup::kActive : Setup::kActpass;
    return std::nullopt;
  }
  const auto& [value, line] = level->setup;
  if (value == "active") {
    out_.setup = Setup::kActive;
  } else if (value == "passive") {
    out_.setup = Setup::kPassive;
  } else if (value == "actpass") {
    if (is_answer_) return malformed(line, "a=setup: an answer must be active or passive");
    out_.setup = Setup::kActpass;
  } else if (value == "holdconn") {
    return unsupported(line, "a=setup: holdconn");
  } else {
    return malformed(line, "a=setup: unknown role " + quoted(value));
  }
  return std::nullopt;
}

MaybeError Resolver::resolve_sctp() {
  const RawLevel& level = data_->level;
  // RFC 8841 §5.2; where it is left out, as the old form's format.
  const std::string_view text = level.sctp_port    ? level.sctp_port.value
                                : out_.legacy_sctp ? first_word(data_->formats)
                                                   : std::string_view("5000");
  const auto port = parse_number<std::uint16_t>(text);
  if (!port || *port == 0) {
    const std::size_t line = level.sctp_port ? level.sctp_port.line : data_->line;
    return malformed(line, "a=sctp-port: expected 1 to 65535, found " + quoted(text));
  }
  out_.sctp_port = *port;
  if (const RawAttribute& raw = level.max_message_size) {
    const auto size = parse_number<std::uint64_t>(raw.value);
    if (!size) return malformed(raw.line, "a=max-message-size: bad number " + quoted(raw.value));
    out_.max_message_size = *size;
  }
  if (level.sctp_init) out_.sctp_init = level.sctp_init.value;
  return std::nullopt;
}

void Resolver::resolve_candidates() {
  const auto level = std::find_if(levels_.begin(), levels_.end(),
                                  [](const RawLevel* l) { return !l->candidates.empty(); });
  if (level == levels_.end()) return;
  const auto count = [this](CandidateUse use) -> std::uint32_t& {
    return out_.candidate_uses[static_cast<std::size_t>(use)];
  };
  for (const RawAttribute& raw : (*level)->candidates) {
    CandidateParse parsed = parse_candidate(raw.value);
    ++count(parsed.use);
    if (parsed.use == CandidateUse::kUsable) out_.candidates.push_back(std::move(parsed.candidate));
  }
  count(CandidateUse::kExcess) = static_cast<std::uint32_t>((*level)->excess_candidates);
}

ParseResult parse(std::string_view text, bool is_answer) {
  SdpReader reader;
  if (MaybeError error = reader.read(text)) return Failure(std::move(*error));
  return Resolver(reader, is_answer).resolve();
}

}  // namespace

ParseResult parse_offer(std::string_view text) { return parse(text, false); }

ParseResult parse_answer(std::string_view text) { return parse(text, true); }

}  // namespace millrace::sdp
