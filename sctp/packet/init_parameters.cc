// SPDX-License-Identifier: Apache-2.0
#include "sctp/packet/init_parameters.h"

namespace millrace::sctp {
namespace {

void note_extensions(ByteSpan types, InitParameters& out) {
  for (const std::uint8_t type : types) {
    switch (ChunkType{type}) {
      case ChunkType::kForwardTsn:
        out.forward_tsn = true;
        break;
      case ChunkType::kReconfig:
        out.reconfig = true;
        break;
      case ChunkType::kIData:
        out.i_data = true;
        break;
      case ChunkType::kIForwardTsn:
        out.i_forward_tsn = true;
        break;
      case ChunkType::kPad:
        out.pad = true;
        break;
      default:
        break;
    }
  }
}

void keep(ByteSpan bytes, std::array<ByteSpan, InitParameters::kMaxUnrecognized>& list,
          std::size_t& count) {
  if (count < list.size()) list[count++] = bytes;
}

enum class Next { kGoOn, kStop, kMalformed };

Next note(const TlvView& tlv, InitParameters& out) {
  const ByteSpan value = tlv.value();
  switch (ParameterType{tlv.type}) {
    case ParameterType::kStateCookie:
      if (!out.state_cookie) out.state_cookie = value;
      return Next::kGoOn;
    case ParameterType::kUnrecognizedParameter:
      keep(value, out.refused, out.refused_count);
      return Next::kGoOn;
    case ParameterType::kHostNameAddress:
      out.host_name = true;
      return Next::kGoOn;
    case ParameterType::kZeroChecksumAcceptable:
      if (value.size() != 4) return Next::kMalformed;
      if (!out.zero_checksum_edmid) out.zero_checksum_edmid = load_be32(value.data());
      return Next::kGoOn;
    case ParameterType::kSupportedExtensions:
      note_extensions(value, out);
      return Next::kGoOn;
    case ParameterType::kForwardTsnSupported:
      if (!value.empty()) return Next::kMalformed;
      out.forward_tsn = true;
      return Next::kGoOn;
    case ParameterType::kIpv4Address:
      return value.size() == 4 ? Next::kGoOn : Next::kMalformed;
    case ParameterType::kIpv6Address:
      return value.size() == 16 ? Next::kGoOn : Next::kMalformed;
    case ParameterType::kCookiePreservative:
      return value.size() == 4 ? Next::kGoOn : Next::kMalformed;
    case ParameterType::kSupportedAddressTypes:
    case ParameterType::kEcnCapable:
    case ParameterType::kRandom:
    case ParameterType::kChunkList:
    case ParameterType::kRequestedHmac:
    case ParameterType::kPadding:
      return Next::kGoOn;
  }
  // RFC 9260 §3.2.1: the two high bits of an unknown type say what to do.
  const UnknownAction action = UnknownAction::of_parameter(tlv.type);
  if (action.report) keep(tlv.bytes, out.unrecognized, out.unrecognized_count);
  return action.skip ? Next::kGoOn : Next::kStop;
}

}  // namespace

std::optional<InitParameters> InitParameters::parse(ByteSpan parameters) {
  InitParameters out;
  TlvReader reader(parameters);
  while (const std::optional<TlvView> tlv = reader.next()) {
    switch (note(*tlv, out)) {
      case Next::kGoOn:
        break;
      case Next::kStop:
        return out;
      case Next::kMalformed:
        return std::nullopt;
    }
  }
  if (reader.malformed()) return std::nullopt;
  return out;
}

}  // namespace millrace::sctp
