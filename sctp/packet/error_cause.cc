// SPDX-License-Identifier: Apache-2.0
#include "sctp/packet/error_cause.h"

namespace millrace::sctp {
namespace {

bool is_cause(const TlvView& cause, CauseCode code, std::size_t value_bytes) {
  return cause.type == static_cast<std::uint16_t>(code) && cause.value().size() == value_bytes;
}

}  // namespace

std::optional<InvalidStreamIdentifierCause> InvalidStreamIdentifierCause::parse(
    const TlvView& cause) {
  if (!is_cause(cause, kType, 4)) return std::nullopt;
  return InvalidStreamIdentifierCause{StreamId(load_be16(cause.value().data()))};
}

std::optional<MissingMandatoryParameterCause> MissingMandatoryParameterCause::parse(
    const TlvView& cause) {
  const ByteSpan value = cause.value();
  if (cause.type != static_cast<std::uint16_t>(kType) || value.size() < 6) return std::nullopt;
  const std::size_t count = load_be32(value.data());
  if (count != (value.size() - 4) / 2 || value.size() % 2 != 0) return std::nullopt;
  return MissingMandatoryParameterCause{ParameterType{load_be16(value.data() + 4)}};
}

std::optional<StaleCookieCause> StaleCookieCause::parse(const TlvView& cause) {
  if (!is_cause(cause, kType, 4)) return std::nullopt;
  return StaleCookieCause{load_be32(cause.value().data())};
}

std::optional<NoUserDataCause> NoUserDataCause::parse(const TlvView& cause) {
  if (!is_cause(cause, kType, 4)) return std::nullopt;
  return NoUserDataCause{Tsn(load_be32(cause.value().data()))};
}

}  // namespace millrace::sctp
