// SPDX-License-Identifier: Apache-2.0
#include "sctp/packet/reconfig_chunk.h"

namespace millrace::sctp {
namespace {

// RFC 6525 §3.1 lists ten combinations; an unknown first parameter ends the chunk and
// allows none (§4).
bool is_allowed_alone(std::uint16_t type) {
  return type >= static_cast<std::uint16_t>(ReconfigParameterType::kOutgoingSsnReset) &&
         type <= static_cast<std::uint16_t>(ReconfigParameterType::kAddIncomingStreams);
}

bool is_allowed_pair(ReconfigParameterType a, ReconfigParameterType b) {
  using enum ReconfigParameterType;
  const auto are = [a, b](ReconfigParameterType x, ReconfigParameterType y) {
    return (a == x && b == y) || (a == y && b == x);
  };
  return are(kOutgoingSsnReset, kIncomingSsnReset) ||
         are(kAddOutgoingStreams, kAddIncomingStreams) || are(kResponse, kOutgoingSsnReset) ||
         are(kResponse, kResponse);
}

bool is_parameter(const TlvView& parameter, ReconfigParameterType type, std::size_t min_bytes) {
  return parameter.type == static_cast<std::uint16_t>(type) &&
         parameter.value().size() >= min_bytes;
}

void write_streams(ByteWriter& out, std::span<const StreamId> streams) {
  for (const StreamId stream : streams) out.u16(stream.value());
}

}  // namespace

std::optional<ReconfigChunk> ReconfigChunk::parse(ByteSpan chunk) {
  if (!is_chunk(chunk, ChunkType::kReconfig, kChunkHeaderBytes)) return std::nullopt;
  const ReconfigChunk view{chunk.subspan(kChunkHeaderBytes)};
  TlvReader reader(view.parameters);
  const std::optional<TlvView> first = reader.next();
  if (!first || !is_allowed_alone(first->type)) return std::nullopt;
  const std::optional<TlvView> second = reader.next();
  if (second &&
      !is_allowed_pair(ReconfigParameterType{first->type}, ReconfigParameterType{second->type})) {
    return std::nullopt;
  }
  if (reader.next() || reader.malformed()) return std::nullopt;
  return view;
}

std::optional<OutgoingSsnResetRequestView> OutgoingSsnResetRequestView::parse(
    const TlvView& parameter) {
  if (!is_parameter(parameter, OutgoingSsnResetRequest::kType, 12)) return std::nullopt;
  const ByteSpan value = parameter.value();
  if (value.size() % 2 != 0) return std::nullopt;
  return OutgoingSsnResetRequestView{
      ReconfigSeq(load_be32(value.data())), ReconfigSeq(load_be32(value.data() + 4)),
      Tsn(load_be32(value.data() + 8)), StreamList(value.subspan(12))};
}

void OutgoingSsnResetRequest::write_value(ByteWriter& out) const {
  out.u32(request_seq.value());
  out.u32(response_seq.value());
  out.u32(last_assigned_tsn.value());
  write_streams(out, streams);
}

std::optional<IncomingSsnResetRequestView> IncomingSsnResetRequestView::parse(
    const TlvView& parameter) {
  if (!is_parameter(parameter, IncomingSsnResetRequest::kType, 4)) return std::nullopt;
  const ByteSpan value = parameter.value();
  if (value.size() % 2 != 0) return std::nullopt;
  return IncomingSsnResetRequestView{ReconfigSeq(load_be32(value.data())),
                                     StreamList(value.subspan(4))};
}

void IncomingSsnResetRequest::write_value(ByteWriter& out) const {
  out.u32(request_seq.value());
  write_streams(out, streams);
}

std::optional<SsnTsnResetRequest> SsnTsnResetRequest::parse(const TlvView& parameter) {
  if (!is_parameter(parameter, kType, 4) || parameter.value().size() != 4) return std::nullopt;
  return SsnTsnResetRequest{ReconfigSeq(load_be32(parameter.value().data()))};
}

std::optional<ReconfigResponse> ReconfigResponse::parse(const TlvView& parameter) {
  if (!is_parameter(parameter, kType, 8)) return std::nullopt;
  const ByteSpan value = parameter.value();
  // RFC 6525 §4.4: both optional fields or neither.
  if (value.size() != 8 && value.size() != 16) return std::nullopt;
  ReconfigResponse response{.response_seq = ReconfigSeq(load_be32(value.data())),
                            .result = ReconfigResult{load_be32(value.data() + 4)},
                            .next_tsns = {}};
  if (value.size() == 16) {
    response.next_tsns =
        NextTsns{Tsn(load_be32(value.data() + 8)), Tsn(load_be32(value.data() + 12))};
  }
  return response;
}

void ReconfigResponse::write_value(ByteWriter& out) const {
  out.u32(response_seq.value());
  out.u32(static_cast<std::uint32_t>(result));
  if (next_tsns) {
    out.u32(next_tsns->sender.value());
    out.u32(next_tsns->receiver.value());
  }
}

}  // namespace millrace::sctp
