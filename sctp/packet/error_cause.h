// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "engine/base/bytes.h"
#include "sctp/packet/init_parameters.h"
#include "sctp/packet/tlv.h"
#include "sctp/types.h"

namespace millrace::sctp {

// CauseCode is the type of an error cause (RFC 9260 §3.3.10).
enum class CauseCode : std::uint16_t {
  kInvalidStreamIdentifier = 1,
  kMissingMandatoryParameter = 2,
  kStaleCookie = 3,
  kOutOfResource = 4,
  kUnresolvableAddress = 5,
  kUnrecognizedChunkType = 6,
  kInvalidMandatoryParameter = 7,
  kUnrecognizedParameters = 8,
  kNoUserData = 9,
  kCookieReceivedWhileShuttingDown = 10,
  kRestartWithNewAddresses = 11,
  kUserInitiatedAbort = 12,
  kProtocolViolation = 13,
};

// The causes of ERROR and ABORT. Each is made with `TlvWriter::append` and read with
// `parse`, which returns nothing for another code or a malformed value. Spans of a
// parsed cause point into the packet.

//  0                   1                   2                   3
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |        Cause Code = 1         |       Cause Length = 8        |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |       Stream Identifier       |          (Reserved)           |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
struct InvalidStreamIdentifierCause {
  static constexpr auto kType = CauseCode::kInvalidStreamIdentifier;
  StreamId stream;

  static std::optional<InvalidStreamIdentifierCause> parse(const TlvView& cause);
  std::size_t value_bytes() const { return 4; }
  void write_value(ByteWriter& out) const {
    out.u16(stream.value());
    out.u16(0);
  }
};

//  0                   1                   2                   3
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |        Cause Code = 2         |   Cause Length = 8 + N * 2    |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |                 Number of missing params = N                  |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |     Missing Param Type #1     |     Missing Param Type #2     |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// Only a missing State Cookie is ever reported, so one type is all there is to write;
// of a list received only the first is kept.
struct MissingMandatoryParameterCause {
  static constexpr auto kType = CauseCode::kMissingMandatoryParameter;
  ParameterType missing = ParameterType::kStateCookie;

  static std::optional<MissingMandatoryParameterCause> parse(const TlvView& cause);
  std::size_t value_bytes() const { return 6; }
  void write_value(ByteWriter& out) const {
    out.u32(1);
    out.u16(static_cast<std::uint16_t>(missing));
  }
};

//  0                   1                   2                   3
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |        Cause Code = 3         |       Cause Length = 8        |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |                 Measure of Staleness (usec.)                  |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
struct StaleCookieCause {
  static constexpr auto kType = CauseCode::kStaleCookie;
  std::uint32_t staleness_us = 0;

  static std::optional<StaleCookieCause> parse(const TlvView& cause);
  std::size_t value_bytes() const { return 4; }
  void write_value(ByteWriter& out) const { out.u32(staleness_us); }
};

//  0                   1                   2                   3
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |        Cause Code = 9         |       Cause Length = 8        |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |                              TSN                              |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
struct NoUserDataCause {
  static constexpr auto kType = CauseCode::kNoUserData;
  Tsn tsn;

  static std::optional<NoUserDataCause> parse(const TlvView& cause);
  std::size_t value_bytes() const { return 4; }
  void write_value(ByteWriter& out) const { out.u32(tsn.value()); }
};

//  0                   1                   2                   3
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |          Cause Code           |         Cause Length          |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// /                    Cause-Specific Information                 /
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// OpaqueCause is a cause whose value, which may be empty, is carried as it is.
template <CauseCode kCode>
struct OpaqueCause {
  static constexpr auto kType = kCode;
  ByteSpan info;

  static std::optional<OpaqueCause> parse(const TlvView& cause) {
    if (cause.type != static_cast<std::uint16_t>(kCode)) return std::nullopt;
    return OpaqueCause{cause.value()};
  }
  std::size_t value_bytes() const { return info.size(); }
  void write_value(ByteWriter& out) const { out.bytes(info); }
};

using OutOfResourceCause = OpaqueCause<CauseCode::kOutOfResource>;  // Always empty.
// The whole address or host-name parameter.
using UnresolvableAddressCause = OpaqueCause<CauseCode::kUnresolvableAddress>;
// The whole chunk, header included.
using UnrecognizedChunkTypeCause = OpaqueCause<CauseCode::kUnrecognizedChunkType>;
using InvalidMandatoryParameterCause =
    OpaqueCause<CauseCode::kInvalidMandatoryParameter>;  // Empty.
// Whole parameters of an INIT ACK, one behind the other with their padding.
using UnrecognizedParametersCause = OpaqueCause<CauseCode::kUnrecognizedParameters>;
using CookieReceivedWhileShuttingDownCause =
    OpaqueCause<CauseCode::kCookieReceivedWhileShuttingDown>;  // Always empty.
// The whole address parameters that were new.
using RestartWithNewAddressesCause = OpaqueCause<CauseCode::kRestartWithNewAddresses>;
// Text for the peer's application.
using UserInitiatedAbortCause = OpaqueCause<CauseCode::kUserInitiatedAbort>;
// Text for a person who reads a trace.
using ProtocolViolationCause = OpaqueCause<CauseCode::kProtocolViolation>;

}  // namespace millrace::sctp
