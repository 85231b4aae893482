// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>

#include "sctp/crc32c.h"
#include "sctp/packet/chunk.h"
#include "sctp/packet/common_header.h"
#include "sctp/packet/cookie_chunk.h"
#include "sctp/packet/data_chunk.h"
#include "sctp/packet/error_cause.h"
#include "sctp/packet/error_chunk.h"
#include "sctp/packet/forward_tsn_chunk.h"
#include "sctp/packet/heartbeat_chunk.h"
#include "sctp/packet/i_data_chunk.h"
#include "sctp/packet/i_forward_tsn_chunk.h"
#include "sctp/packet/init_chunk.h"
#include "sctp/packet/init_parameters.h"
#include "sctp/packet/pad_chunk.h"
#include "sctp/packet/reconfig_chunk.h"
#include "sctp/packet/sack_chunk.h"
#include "sctp/packet/shutdown_chunk.h"

namespace {

using namespace millrace;        // NOLINT(google-build-using-namespace)
using namespace millrace::sctp;  // NOLINT(google-build-using-namespace)

// Reads every byte, so that the sanitizer checks what a view claims to hold.
void touch(ByteSpan bytes) {
  std::uint8_t sum = 0;
  for (const std::uint8_t byte : bytes) sum = static_cast<std::uint8_t>(sum + byte);
  [[maybe_unused]] volatile std::uint8_t sink = sum;
}

void read_causes(ByteSpan causes) {
  TlvReader reader(causes);
  while (const std::optional<TlvView> cause = reader.next()) {
    touch(cause->value());
    InvalidStreamIdentifierCause::parse(*cause);
    MissingMandatoryParameterCause::parse(*cause);
    StaleCookieCause::parse(*cause);
    NoUserDataCause::parse(*cause);
    if (const auto text = UserInitiatedAbortCause::parse(*cause)) touch(text->info);
  }
}

void read_init(const InitFields& init) {
  const std::optional<InitParameters> parameters = InitParameters::parse(init.parameters);
  if (!parameters) return;
  if (parameters->state_cookie) touch(*parameters->state_cookie);
  for (std::size_t i = 0; i < parameters->unrecognized_count; ++i) {
    touch(parameters->unrecognized[i]);
  }
  for (std::size_t i = 0; i < parameters->refused_count; ++i) touch(parameters->refused[i]);
}

void read_streams(const StreamList& streams) {
  for (std::size_t i = 0; i < streams.size(); ++i) {
    [[maybe_unused]] volatile std::uint16_t sink = streams[i].value();
  }
}

void read_reconfig(const ReconfigChunk& chunk) {
  TlvReader reader(chunk.parameters);
  while (const std::optional<TlvView> parameter = reader.next()) {
    if (const auto out = OutgoingSsnResetRequestView::parse(*parameter)) read_streams(out->streams);
    if (const auto in = IncomingSsnResetRequestView::parse(*parameter)) read_streams(in->streams);
    SsnTsnResetRequest::parse(*parameter);
    ReconfigResponse::parse(*parameter);
    AddOutgoingStreamsRequest::parse(*parameter);
    AddIncomingStreamsRequest::parse(*parameter);
  }
}

void read_lists(ByteSpan bytes) {
  if (const auto sack = SackChunkView::parse(bytes)) {
    sack->gap_blocks_are_ordered();
    for (std::size_t i = 0; i < sack->duplicate_count(); ++i) sack->duplicate(i);
  }
  if (const auto skip = ForwardTsnChunkView::parse(bytes)) {
    for (std::size_t i = 0; i < skip->skipped_count(); ++i) skip->skipped(i);
  }
  if (const auto skip = IForwardTsnChunkView::parse(bytes)) {
    for (std::size_t i = 0; i < skip->skipped_count(); ++i) skip->skipped(i);
  }
}

void read_chunk(ByteSpan bytes) {
  if (const auto data = DataChunkView::parse(bytes)) touch(data->payload);
  if (const auto data = IDataChunkView::parse(bytes)) touch(data->payload);
  if (const auto init = InitChunk::parse(bytes)) read_init(*init);
  if (const auto init = InitAckChunk::parse(bytes)) read_init(*init);
  if (const auto cookie = CookieEchoChunk::parse(bytes)) touch(cookie->cookie);
  if (const auto beat = HeartbeatChunk::parse(bytes)) touch(beat->info);
  if (const auto beat = HeartbeatAckChunk::parse(bytes)) touch(beat->info);
  if (const auto error = ErrorChunk::parse(bytes)) read_causes(error->causes);
  if (const auto abort = AbortChunk::parse(bytes)) read_causes(abort->causes);
  if (const auto reconfig = ReconfigChunk::parse(bytes)) read_reconfig(*reconfig);
  read_lists(bytes);
  CookieAckChunk::parse(bytes);
  ShutdownChunk::parse(bytes);
  ShutdownAckChunk::parse(bytes);
  ShutdownCompleteChunk::parse(bytes);
  PadChunk::parse(bytes);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteSpan packet(data, size);
  if (!CommonHeader::parse(packet)) return 0;
  packet_checksum(packet);
  ChunkReader reader(packet.subspan(CommonHeader::kBytes));
  while (const std::optional<ChunkView> chunk = reader.next()) read_chunk(chunk->bytes);
  return 0;
}
