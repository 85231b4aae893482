// SPDX-License-Identifier: Apache-2.0
// What goes wrong: ABORT and ERROR, unknown chunks, packets out of the blue.
#include <algorithm>
#include <array>

#include "sctp/association.h"
#include "sctp/packet/error_cause.h"
#include "sctp/packet/error_chunk.h"
#include "sctp/packet/shutdown_chunk.h"

namespace millrace::sctp {
namespace {

// What a reason given to `abort` may take of the packet.
constexpr std::size_t kMaxReasonBytes = 512;
// Causes reported to the application and not yet polled; more are lost to it.
constexpr std::size_t kMaxErrorEvents = 16;

std::uint16_t first_cause(ByteSpan causes) {
  const auto cause = TlvReader(causes).next();
  return cause ? cause->type : std::uint16_t{0};
}

bool is_stale_cookie(std::uint16_t cause) { return CauseCode{cause} == CauseCode::kStaleCookie; }

}  // namespace

void Association::abort(Time, std::string_view reason) {
  if (dead_) return;
  const std::string_view text = reason.substr(0, kMaxReasonBytes);
  abort_with(CloseReason::kAborted, CauseCode::kUserInitiatedAbort,
             {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
}

// RFC 9260 §9.1. Nobody is told where nobody is known yet.
void Association::abort_with(CloseReason reason, CauseCode cause, ByteSpan value) {
  const auto code = static_cast<std::uint16_t>(cause);
  control_.clear();
  if (!peer_tag_.is_zero()) {
    std::array<std::uint8_t, kMaxReasonBytes + kTlvHeaderBytes> memory;
    TlvWriter causes(memory);
    causes.append(code, value);
    queue_alone(peer_tag_, AbortChunk{.tag_reflected = false, .causes = causes.bytes()});
  }
  close(reason, reason == CloseReason::kAborted ? std::uint16_t{0} : code);
}

Association::Next Association::handle_abort(const CommonHeader& header, const ChunkView& chunk) {
  const auto abort_chunk = AbortChunk::parse(chunk.bytes);
  if (!abort_chunk) {
    drop(DropReason::kMalformedChunk);
    return Next::kDiscardPacket;
  }
  // RFC 9260 §8.5.1 (B): this end's tag, or the peer's own with the T bit.
  const VerificationTag expected = abort_chunk->tag_reflected ? peer_tag_ : local_tag_;
  if (header.verification_tag != expected || expected.is_zero()) {
    drop(DropReason::kWrongVerificationTag);
    return Next::kDiscardPacket;
  }
  // A peer that refuses set-up says so under the tag of this end's INIT.
  close(CloseReason::kPeerAborted, first_cause(abort_chunk->causes));
  return Next::kDiscardPacket;
}

void Association::handle_error(Time now, const ChunkView& chunk) {
  const auto error = ErrorChunk::parse(chunk.bytes);
  if (!error) return drop(DropReason::kMalformedChunk);
  // RFC 9260 §3.3.10: known before the association is, only a stale cookie means something.
  if (state_ == State::kCookieWait) return drop(DropReason::kUnexpectedState);
  TlvReader causes(error->causes);
  while (const auto cause = causes.next()) {
    if (is_stale_cookie(cause->type)) return handle_stale_cookie(now);
    if (events_.size() - next_event_ >= kMaxErrorEvents) break;
    Event event;
    event.kind = EventKind::kPeerError;
    event.error_cause = cause->type;
    events_.push_back(event);
  }
  if (causes.malformed()) drop(DropReason::kMalformedParameter);
}

// RFC 9260 §3.2: the two high bits of the type say what to do.
Association::Next Association::handle_unknown(const ChunkView& chunk) {
  drop(DropReason::kUnknownChunk);
  const UnknownAction action = UnknownAction::of(chunk.type);
  if (action.report) report_unknown(chunk);
  return action.skip ? Next::kContinue : Next::kDiscardPacket;
}

// RFC 9260 §3.3.10.6 wants the whole chunk; one that fits no packet is not reported.
void Association::report_unknown(const ChunkView& chunk) {
  if (chunk.bytes.size() + CommonHeader::kBytes + kChunkHeaderBytes + kTlvHeaderBytes >
      options_.max_packet_bytes) {
    return;
  }
  std::vector<std::uint8_t> memory(kTlvHeaderBytes + chunk.bytes.size());
  TlvWriter causes(memory);
  causes.append(UnrecognizedChunkTypeCause{chunk.bytes});
  queue(ErrorChunk{causes.bytes()});
}

// RFC 9260 §8.4, as far as one path under DTLS has such packets: an association that has
// not begun, or that has ended.
void Association::handle_out_of_the_blue(const CommonHeader& header, ByteSpan chunks) {
  drop(DropReason::kOutOfTheBlue);
  const VerificationTag reflected = header.verification_tag;
  bool answer = true;
  ChunkReader reader(chunks);
  while (const auto chunk = reader.next()) {
    switch (chunk->type) {
      case ChunkType::kAbort:             // (2)
      case ChunkType::kShutdownComplete:  // (6)
      case ChunkType::kCookieAck:         // (7)
      case ChunkType::kCookieEcho:        // (4), for an association that has ended.
        answer = false;
        break;
      case ChunkType::kInit: {
        // (3) §5.1: this end does not begin again. The answer goes under the INIT's tag.
        const auto init = InitChunk::parse(chunk->bytes);
        if (!init || init->initiate_tag.is_zero() || !reflected.is_zero()) return;
        return refuse_init(init->initiate_tag, CauseCode::kOutOfResource);
      }
      case ChunkType::kShutdownAck:  // (5)
        return queue_alone(reflected, ShutdownCompleteChunk{.tag_reflected = true});
      case ChunkType::kError: {
        // (7)
        const auto error = ErrorChunk::parse(chunk->bytes);
        if (error && is_stale_cookie(first_cause(error->causes))) answer = false;
        break;
      }
      default:
        break;
    }
  }
  // (8), except after an end in good order: the ABORT for a late packet would reach a peer
  // that still waits for SHUTDOWN-COMPLETE, and turn its good end into a bad one.
  if (answer && !ended_in_order_) {
    queue_alone(reflected, AbortChunk{.tag_reflected = true, .causes = {}});
  }
}

}  // namespace millrace::sctp
