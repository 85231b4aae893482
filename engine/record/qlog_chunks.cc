// SPDX-License-Identifier: Apache-2.0
#include "engine/record/qlog_chunks.h"

#include <string_view>

#include "engine/record/json_object.h"
#include "sctp/packet/chunk.h"
#include "sctp/packet/data_chunk.h"
#include "sctp/packet/forward_tsn_chunk.h"
#include "sctp/packet/i_data_chunk.h"
#include "sctp/packet/init_chunk.h"
#include "sctp/packet/sack_chunk.h"
#include "sctp/packet/shutdown_chunk.h"

namespace millrace::engine {
namespace {

using sctp::ChunkType;
using sctp::ChunkView;

constexpr std::size_t kMaxListed = 64;  // Gap blocks, duplicates and streams of a chunk.

std::string_view name_of(ChunkType type) {
  switch (type) {
    case ChunkType::kData:
      return "data";
    case ChunkType::kInit:
      return "init";
    case ChunkType::kInitAck:
      return "init_ack";
    case ChunkType::kSack:
      return "sack";
    case ChunkType::kHeartbeat:
      return "heartbeat";
    case ChunkType::kHeartbeatAck:
      return "heartbeat_ack";
    case ChunkType::kAbort:
      return "abort";
    case ChunkType::kShutdown:
      return "shutdown";
    case ChunkType::kShutdownAck:
      return "shutdown_ack";
    case ChunkType::kError:
      return "error";
    case ChunkType::kCookieEcho:
      return "cookie_echo";
    case ChunkType::kCookieAck:
      return "cookie_ack";
    case ChunkType::kShutdownComplete:
      return "shutdown_complete";
    case ChunkType::kIData:
      return "i_data";
    case ChunkType::kReconfig:
      return "re_config";
    case ChunkType::kPad:
      return "pad";
    case ChunkType::kForwardTsn:
      return "forward_tsn";
    case ChunkType::kIForwardTsn:
      return "i_forward_tsn";
  }
  return "unknown";
}

void data_members(JsonObject& out, sctp::Tsn tsn, sctp::StreamId stream, sctp::DataFlags flags,
                  std::size_t payload, std::optional<sctp::Tsn>* highest_sent) {
  out.number("tsn", tsn.value());
  out.number("stream_id", stream.value());
  out.number("payload_length", payload);
  if (flags.beginning) out.flag("beginning");
  if (flags.ending) out.flag("ending");
  if (flags.unordered) out.flag("unordered");
  if (flags.immediate) out.flag("immediate");
  if (highest_sent == nullptr) return;
  if (*highest_sent && tsn.precedes_or_equals(**highest_sent)) {
    out.flag("retransmission");
  } else {
    *highest_sent = tsn;
  }
}

void sack_members(JsonObject& out, const sctp::SackChunkView& sack) {
  out.number("cumulative_tsn_ack", sack.cumulative_tsn_ack().value());
  out.number("a_rwnd", sack.a_rwnd());
  if (sack.gap_block_count() > 0) {
    std::string& text = out.member("gap_blocks") += '[';
    const std::size_t count = std::min(sack.gap_block_count(), kMaxListed);
    for (std::size_t i = 0; i < count; ++i) {
      const sctp::GapAckBlock block = sack.gap_block(i);
      // As TSNs: what a reader would otherwise have to add up.
      const auto tsn = [&](std::uint16_t offset) {
        return std::to_string(sack.cumulative_tsn_ack().plus(offset).value());
      };
      text += (i == 0 ? "[" : ",[") + tsn(block.start) + "," + tsn(block.end) + "]";
    }
    text += ']';
    if (count < sack.gap_block_count()) out.number("gap_block_count", sack.gap_block_count());
  }
  if (sack.duplicate_count() == 0) return;
  std::string& text = out.member("duplicates") += '[';
  for (std::size_t i = 0; i < std::min(sack.duplicate_count(), kMaxListed); ++i) {
    text += (i == 0 ? "" : ",") + std::to_string(sack.duplicate(i).value());
  }
  text += ']';
}

void init_members(JsonObject& out, const sctp::InitFields& init) {
  out.number("a_rwnd", init.a_rwnd);
  out.number("outbound_streams", init.outbound_streams);
  out.number("inbound_streams", init.inbound_streams);
  out.number("initial_tsn", init.initial_tsn.value());
}

void append_chunk(std::string& text, const ChunkView& chunk,
                  std::optional<sctp::Tsn>* highest_sent) {
  JsonObject out(text);
  out.text("type", name_of(chunk.type));
  if (name_of(chunk.type) == "unknown") {
    out.number("type_value", static_cast<unsigned>(chunk.type));
  }
  out.number("length", chunk.bytes.size());
  if (const auto data = sctp::DataChunkView::parse(chunk.bytes)) {
    data_members(out, data->header.tsn, data->header.stream, data->header.flags,
                 data->payload.size(), highest_sent);
    if (!data->header.flags.unordered) out.number("ssn", data->header.ssn.value());
    out.number("ppid", data->header.ppid.value());
  } else if (const auto i_data = sctp::IDataChunkView::parse(chunk.bytes)) {
    data_members(out, i_data->header.tsn, i_data->header.stream, i_data->header.flags,
                 i_data->payload.size(), highest_sent);
    out.number("mid", i_data->header.mid.value());
    if (i_data->header.flags.beginning) {
      out.number("ppid", i_data->header.ppid.value());
    } else {
      out.number("fsn", i_data->header.fsn);
    }
  } else if (const auto sack = sctp::SackChunkView::parse(chunk.bytes)) {
    sack_members(out, *sack);
  } else if (const auto init = sctp::InitChunk::parse(chunk.bytes)) {
    init_members(out, *init);
  } else if (const auto init_ack = sctp::InitAckChunk::parse(chunk.bytes)) {
    init_members(out, *init_ack);
  } else if (const auto forward = sctp::ForwardTsnChunkView::parse(chunk.bytes)) {
    out.number("new_cumulative_tsn", forward->new_cumulative_tsn().value());
    out.number("streams_skipped", forward->skipped_count());
  } else if (const auto shutdown = sctp::ShutdownChunk::parse(chunk.bytes)) {
    out.number("cumulative_tsn_ack", shutdown->cumulative_tsn_ack.value());
  }
}

}  // namespace

void append_chunks(std::string& out, ByteSpan chunks, std::optional<sctp::Tsn>* highest_sent) {
  sctp::ChunkReader reader(chunks);
  for (bool first = true; const auto chunk = reader.next(); first = false) {
    if (!first) out += ',';
    append_chunk(out, *chunk, highest_sent);
  }
}

}  // namespace millrace::engine
