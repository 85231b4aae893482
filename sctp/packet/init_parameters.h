// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "engine/base/bytes.h"
#include "sctp/packet/chunk.h"
#include "sctp/packet/tlv.h"

namespace millrace::sctp {

// ParameterType lists the parameters of INIT and INIT ACK (RFC 9260 §3.3.2.1, §3.3.3.1,
// RFC 3758 §3.1, RFC 4820 §4, RFC 4895 §3, RFC 5061 §4.2.7, RFC 9653 §4).
enum class ParameterType : std::uint16_t {
  kIpv4Address = 5,
  kIpv6Address = 6,
  kStateCookie = 7,
  kUnrecognizedParameter = 8,
  kCookiePreservative = 9,
  kHostNameAddress = 11,
  kSupportedAddressTypes = 12,
  kEcnCapable = 0x8000,
  kZeroChecksumAcceptable = 0x8001,
  kRandom = 0x8002,
  kChunkList = 0x8003,
  kRequestedHmac = 0x8004,
  kPadding = 0x8005,
  kSupportedExtensions = 0x8008,
  kForwardTsnSupported = 0xC000,
};

// kEdmidDtls names SCTP over DTLS as the alternate error detection (RFC 9653 §8).
inline constexpr std::uint32_t kEdmidDtls = 1;

// PeerExtensions is what the sender of an INIT or INIT ACK has offered.
struct PeerExtensions {
  std::optional<std::uint32_t> zero_checksum_edmid;  // RFC 9653 §4.
  bool forward_tsn = false;                          // By its own parameter or as an extension.
  bool reconfig = false;                             // RFC 6525
  bool i_data = false;                               // RFC 8260
  bool i_forward_tsn = false;                        // RFC 8260
  bool pad = false;                                  // RFC 4820
};

//  0                   1                   2                   3
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |        Parameter Type         |       Parameter Length        |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// \                        Parameter Value                        /
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// InitParameters is what a list of INIT or INIT ACK parameters says. Spans point into
// the list. Parameters that are known but of no use over DTLS (addresses, ECN,
// authentication, padding) are passed over; of a repeated one the first counts.
struct InitParameters : PeerExtensions {
  static constexpr std::size_t kMaxUnrecognized = 8;

  std::optional<ByteSpan> state_cookie;  // May be empty in a hostile packet.
  bool host_name = false;                // RFC 9260 §3.3.2.1: refuse, by Unresolvable Address.
  // Whole parameters to report to the sender (RFC 9260 §3.2.1, top bits 01 and 11), at
  // most kMaxUnrecognized of them; more are dropped in silence.
  std::array<ByteSpan, kMaxUnrecognized> unrecognized{};
  std::size_t unrecognized_count = 0;
  // The peer's Unrecognized Parameters, each a whole parameter of ours, in an INIT ACK.
  std::array<ByteSpan, kMaxUnrecognized> refused{};
  std::size_t refused_count = 0;

  // Returns nothing when the list or a known parameter in it is malformed.
  static std::optional<InitParameters> parse(ByteSpan parameters);
};

// The parameters that an association sends; append them with TlvWriter.

//  0                   1                   2                   3
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |      Parameter Type = 7       |       Parameter Length        |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// \                            Cookie                             /
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// RFC 9260 §3.3.3.1
struct StateCookieParameter {
  static constexpr auto kType = ParameterType::kStateCookie;
  ByteSpan cookie;

  std::size_t value_bytes() const { return cookie.size(); }
  void write_value(ByteWriter& out) const { out.bytes(cookie); }
};

//  0                   1                   2                   3
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |      Parameter Type = 8       |       Parameter Length        |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// \                    Unrecognized Parameter                     /
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// RFC 9260 §3.3.3.1: carries the whole parameter that was not understood.
struct UnrecognizedParameter {
  static constexpr auto kType = ParameterType::kUnrecognizedParameter;
  ByteSpan parameter;

  std::size_t value_bytes() const { return parameter.size(); }
  void write_value(ByteWriter& out) const { out.bytes(parameter); }
};

//  0                   1                   2                   3
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |    Parameter Type = 0xC000    |     Parameter Length = 4      |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// RFC 3758 §3.1
struct ForwardTsnSupportedParameter {
  static constexpr auto kType = ParameterType::kForwardTsnSupported;

  std::size_t value_bytes() const { return 0; }
  void write_value(ByteWriter&) const {}
};

//  0                   1                   2                   3
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |    Parameter Type = 0x8008    |       Parameter Length        |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// | Chunk Type 1  | Chunk Type 2  | Chunk Type 3  | Chunk Type 4  |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// \                              ...                              /
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// RFC 5061 §4.2.7: one byte for each optional chunk type.
struct SupportedExtensionsParameter {
  static constexpr auto kType = ParameterType::kSupportedExtensions;
  std::span<const ChunkType> types;

  std::size_t value_bytes() const { return types.size(); }
  void write_value(ByteWriter& out) const {
    for (const ChunkType type : types) out.u8(static_cast<std::uint8_t>(type));
  }
};

//  0                   1                   2                   3
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |    Parameter Type = 0x8001    |     Parameter Length = 8      |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |           Error Detection Method Identifier (EDMID)           |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// RFC 9653 §4
struct ZeroChecksumParameter {
  static constexpr auto kType = ParameterType::kZeroChecksumAcceptable;
  std::uint32_t edmid = kEdmidDtls;

  std::size_t value_bytes() const { return 4; }
  void write_value(ByteWriter& out) const { out.u32(edmid); }
};

}  // namespace millrace::sctp
