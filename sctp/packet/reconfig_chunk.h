// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "engine/base/bytes.h"
#include "sctp/packet/chunk.h"
#include "sctp/packet/tlv.h"
#include "sctp/types.h"

namespace millrace::sctp {

//  0                   1                   2                   3
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |  Type = 130   |  Chunk Flags  |         Chunk Length          |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// \                   Re-configuration Parameter                  /
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// \             Re-configuration Parameter (optional)             /
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// RFC 6525 §3.1.

enum class ReconfigParameterType : std::uint16_t {
  kOutgoingSsnReset = 13,
  kIncomingSsnReset = 14,
  kSsnTsnReset = 15,
  kResponse = 16,
  kAddOutgoingStreams = 17,
  kAddIncomingStreams = 18,
};

// ReconfigResult is the outcome in a response (RFC 6525 §4.4). A received one may be
// none of the enumerators.
enum class ReconfigResult : std::uint32_t {
  kNothingToDo = 0,
  kPerformed = 1,
  kDenied = 2,
  kWrongSsn = 3,
  kRequestAlreadyInProgress = 4,
  kBadSequenceNumber = 5,
  kInProgress = 6,
};

// ReconfigChunk is a RE-CONFIG, received (then `parameters` points into the packet) or to
// be sent. `parse` ensures one or two whole parameters in a combination that RFC 6525
// §3.1 allows, and nothing about what they hold: parse them with the types below.
struct ReconfigChunk {
  ByteSpan parameters;

  static std::optional<ReconfigChunk> parse(ByteSpan chunk);
  std::size_t size() const { return kChunkHeaderBytes + parameters.size(); }
  void write(MutableByteSpan out) const {
    CHECK(out.size() == size());
    begin_chunk(out, ChunkType::kReconfig).bytes(parameters);
  }
};

// StreamList is a list of stream numbers inside a received parameter. Empty means every
// stream. A stream may be listed twice.
class StreamList {
 public:
  StreamList() = default;
  // `bytes` is two bytes for each stream.
  explicit StreamList(ByteSpan bytes) : bytes_(bytes) {}

  std::size_t size() const { return bytes_.size() / 2; }
  bool empty() const { return size() == 0; }
  StreamId operator[](std::size_t i) const {
    DCHECK(i < size());
    return StreamId(load_be16(bytes_.data() + 2 * i));
  }

 private:
  ByteSpan bytes_;
};

// The parameters. Each is made with `TlvWriter::append` and read with `parse`, which
// returns nothing for another type or a malformed value. Those that list streams have
// a view of their own for the received form.

//  0                   1                   2                   3
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |     Parameter Type = 13       | Parameter Length = 16 + 2 * N |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |           Re-configuration Request Sequence Number            |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |           Re-configuration Response Sequence Number           |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |                Sender's Last Assigned TSN                     |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |  Stream Number 1 (optional)   |    Stream Number 2 (optional) |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
struct OutgoingSsnResetRequest {
  static constexpr auto kType = ReconfigParameterType::kOutgoingSsnReset;
  ReconfigSeq request_seq;
  ReconfigSeq response_seq;
  Tsn last_assigned_tsn;
  std::span<const StreamId> streams;  // Empty resets all.

  std::size_t value_bytes() const { return 12 + 2 * streams.size(); }
  void write_value(ByteWriter& out) const;
};

struct OutgoingSsnResetRequestView {
  ReconfigSeq request_seq;
  ReconfigSeq response_seq;
  Tsn last_assigned_tsn;
  StreamList streams;

  static std::optional<OutgoingSsnResetRequestView> parse(const TlvView& parameter);
};

//  0                   1                   2                   3
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |     Parameter Type = 14       |  Parameter Length = 8 + 2 * N |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |          Re-configuration Request Sequence Number             |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |  Stream Number 1 (optional)   |    Stream Number 2 (optional) |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
struct IncomingSsnResetRequest {
  static constexpr auto kType = ReconfigParameterType::kIncomingSsnReset;
  ReconfigSeq request_seq;
  std::span<const StreamId> streams;  // Empty asks for all.

  std::size_t value_bytes() const { return 4 + 2 * streams.size(); }
  void write_value(ByteWriter& out) const;
};

struct IncomingSsnResetRequestView {
  ReconfigSeq request_seq;
  StreamList streams;

  static std::optional<IncomingSsnResetRequestView> parse(const TlvView& parameter);
};

//  0                   1                   2                   3
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |     Parameter Type = 15       |      Parameter Length = 8     |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |         Re-configuration Request Sequence Number              |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
struct SsnTsnResetRequest {
  static constexpr auto kType = ReconfigParameterType::kSsnTsnReset;
  ReconfigSeq request_seq;

  static std::optional<SsnTsnResetRequest> parse(const TlvView& parameter);
  std::size_t value_bytes() const { return 4; }
  void write_value(ByteWriter& out) const { out.u32(request_seq.value()); }
};

//  0                   1                   2                   3
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |     Parameter Type = 16       |      Parameter Length         |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |         Re-configuration Response Sequence Number             |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |                            Result                             |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |                   Sender's Next TSN (optional)                |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |                  Receiver's Next TSN (optional)               |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
struct ReconfigResponse {
  static constexpr auto kType = ReconfigParameterType::kResponse;
  struct NextTsns {
    Tsn sender;
    Tsn receiver;
  };
  ReconfigSeq response_seq;
  ReconfigResult result = ReconfigResult::kNothingToDo;
  std::optional<NextTsns> next_tsns;  // Only in answer to an SSN/TSN reset.

  static std::optional<ReconfigResponse> parse(const TlvView& parameter);
  std::size_t value_bytes() const { return next_tsns ? 16 : 8; }
  void write_value(ByteWriter& out) const;
};

//  0                   1                   2                   3
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |   Parameter Type = 17, 18     |      Parameter Length = 12    |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |          Re-configuration Request Sequence Number             |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |      Number of new streams    |         Reserved              |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
template <ReconfigParameterType kParameterType>
struct AddStreamsRequest {
  static constexpr auto kType = kParameterType;
  ReconfigSeq request_seq;
  std::uint16_t new_streams = 0;

  static std::optional<AddStreamsRequest> parse(const TlvView& parameter) {
    const ByteSpan value = parameter.value();
    if (parameter.type != static_cast<std::uint16_t>(kType) || value.size() != 8) {
      return std::nullopt;
    }
    return AddStreamsRequest{ReconfigSeq(load_be32(value.data())), load_be16(value.data() + 4)};
  }
  std::size_t value_bytes() const { return 8; }
  void write_value(ByteWriter& out) const {
    out.u32(request_seq.value());
    out.u16(new_streams);
    out.u16(0);
  }
};

using AddOutgoingStreamsRequest = AddStreamsRequest<ReconfigParameterType::kAddOutgoingStreams>;
using AddIncomingStreamsRequest = AddStreamsRequest<ReconfigParameterType::kAddIncomingStreams>;

}  // namespace millrace::sctp
