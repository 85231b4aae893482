// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "engine/base/time.h"
#include "sctp/packet/packet_writer.h"
#include "sctp/packet/reconfig_chunk.h"
#include "sctp/packet/tlv.h"
#include "sctp/retransmission_timer.h"
#include "sctp/rx/data_receiver.h"
#include "sctp/tx/data_sender.h"
#include "sctp/types.h"

namespace millrace::sctp {

// StreamGenerations counts the resets of each stream in one direction. Streams that were
// never reset cost nothing.
class StreamGenerations {
 public:
  std::uint32_t of(StreamId stream) const {
    if (resets_.empty()) return all_;
    const auto found = resets_.find(stream);
    return all_ + (found == resets_.end() ? 0 : found->second);
  }
  void bump(StreamId stream) { ++resets_[stream]; }
  void bump_all() { ++all_; }

 private:
  std::uint32_t all_ = 0;
  std::unordered_map<StreamId, std::uint32_t> resets_;
};

// StreamLimits bounds what a peer may make of an association (RFC 6525 §5.2.5, §5.2.6).
struct StreamLimits {
  std::uint16_t outgoing = 65535;
  std::uint16_t incoming = 65535;
};

// StreamReset runs the stream resets and additions of one association, both ways (RFC 6525).
// Outgoing: it collects what the application and the peer ask for, waits until the streams may
// be reset, and has at most one request in flight, repeated unchanged until it is answered.
// Incoming: it performs the peer's requests once their data is here, each once.
//
//   stream_reset.cc      resets, and what all requests share
//   stream_addition.cc   RFC 6525 §5.1.5, §5.1.6, §5.2.5, §5.2.6
//
// All memory it holds for the peer is bounded: one deferred request and one that was, kMaxEvents
// events, and one entry per stream.
class StreamReset {
 public:
  // RFC 6525 §3.1: two responses fit one RE-CONFIG.
  static constexpr std::size_t kMaxAnswers = 2;
  // As many streams as a request names; 512 bytes leave room for a SACK beside it.
  static constexpr std::size_t kMaxStreamsPerRequest = 256;
  static constexpr std::size_t kMaxEvents = 32;
  // How often a request that the peer would not judge is asked under a new number.
  static constexpr int kMaxRenewals = 8;

  enum class EventKind : std::uint8_t { kDone, kRefused, kIncoming, kAdded, kAdditionRefused };
  struct Event {
    EventKind kind = EventKind::kDone;
    std::vector<StreamId> streams;  // For kIncoming, empty means every stream.
  };

  StreamReset() = default;
  explicit StreamReset(const StreamLimits& limits) : limits_(limits) {}

  // What set-up negotiated. Requests made earlier are begun, or refused where the peer
  // does not offer RE-CONFIG.
  void establish(Tsn local_initial_tsn, Tsn peer_initial_tsn, std::uint16_t outgoing_streams,
                 std::uint16_t incoming_streams, bool supported, DataSender& sender);
  // Forgets everything but the generations, which go up by one: the peer restarted.
  void restart();

  // Asks for the outgoing side of `streams` to be reset, once what is queued on them has
  // been sent. Streams already asked for are left as they are, but what was queued on one while
  // the peer's wish to have it reset was being performed is dropped if that succeeds: it came too
  // late for the life that ends and must not begin the next.
  void request(std::span<const StreamId> streams, DataSender& sender);

  // Asks for so many more streams each way. kAdded follows for each way, or kAdditionRefused,
  // at once where a limit would be passed or the peer has no RE-CONFIG.
  void request_streams(std::uint16_t outgoing, std::uint16_t incoming);
  // As negotiated and added since.
  std::uint16_t outgoing_streams() const { return outgoing_streams_; }
  std::uint16_t incoming_streams() const { return incoming_streams_; }

  // Handle one RE-CONFIG chunk; false if it was out of sequence or made no sense. Answers
  // are written by `append`.
  bool handle_reconfig(Time now, const ReconfigChunk& chunk, DataSender& sender,
                       DataReceiver& receiver, Duration rto_max);
  // True once for each time that what was asked for has been answered, whatever was said.
  bool take_answered() { return std::exchange(answered_, false); }
  // Performs a deferred request whose data has arrived. To be called after each packet.
  void handle_progress(DataReceiver& receiver);

  // Writes the answer and the request that are due, each at most once per call. Returns
  // false if nothing was due or there was no room.
  bool append(Time now, PacketWriter& packet, DataSender& sender, Duration rto_max);
  // True if `append` would write; a SACK belongs before it (RFC 6525 §5.2.1).
  bool is_due(const DataSender& sender) const;
  // Nothing is wanted, asked for or to be answered: most never reset a stream.
  bool is_idle() const {
    return waiting_.empty() && !request_ && answers_.empty() && !adds_streams();
  }

  // Returns true if an unanswered request counts towards Association.Max.Retrans.
  bool handle_timeout(Time now);
  Time next_timeout() const { return timer_.expires(); }
  void stop() { timer_.stop(); }

  bool has_event() const { return !events_.empty(); }
  Event take_event();

  std::uint32_t outgoing_generation(StreamId stream) const { return outgoing_.of(stream); }
  std::uint32_t incoming_generation(StreamId stream) const { return incoming_.of(stream); }

 private:
  // A stream that waits for its turn in a request.
  struct Waiting {
    StreamId stream;
    bool drain = true;  // Asked for here: what is queued is sent first.
  };
  enum class RequestKind : std::uint8_t { kReset, kAddOutgoing, kAddIncoming };
  struct Request {
    RequestKind kind = RequestKind::kReset;
    std::uint16_t new_streams = 0;
    ReconfigSeq seq;
    ReconfigSeq response_seq;
    Tsn last_tsn;
    std::vector<StreamId> streams;
    bool transmit = true;
    int renewals = 0;          // New numbers taken, see kMaxRenewals.
    bool in_progress = false;  // The peer's last word on it.
  };
  struct Deferred {
    ReconfigSeq seq;
    Tsn last_tsn;
    std::vector<StreamId> streams;
  };

  bool handle_parameter(Time now, const TlvView& parameter, DataSender& sender,
                        DataReceiver& receiver, Duration rto_max);
  bool handle_outgoing_request(const OutgoingSsnResetRequestView& request, DataReceiver& receiver);
  bool handle_incoming_request(const IncomingSsnResetRequestView& request, DataSender& sender);
  bool handle_response(Time now, const ReconfigResponse& response, DataSender& sender,
                       Duration rto_max);
  ReconfigResult evaluate(const OutgoingSsnResetRequestView& request, DataReceiver& receiver);
  ReconfigResult accept_incoming(const IncomingSsnResetRequestView& request, DataSender& sender);
  bool handle_add_outgoing(const AddOutgoingStreamsRequest& request, DataSender& sender,
                           DataReceiver& receiver);
  bool handle_add_incoming(const AddIncomingStreamsRequest& request);
  ReconfigResult accept_added(std::uint16_t new_streams, DataReceiver& receiver);
  ReconfigResult accept_to_add(std::uint16_t new_streams);
  bool begin_addition();
  bool may_want(std::uint16_t outgoing, std::uint16_t incoming) const;
  void refuse_additions();
  void conclude_addition(bool performed, DataSender& sender);
  // Says whether `seq` is the next request; else answers a repetition or an error.
  bool admit(ReconfigSeq seq);
  bool deny(ReconfigSeq seq);
  void conclude_request(ReconfigSeq seq, ReconfigResult result);
  void answer(ReconfigSeq seq, ReconfigResult result);
  void finish_incoming(std::vector<StreamId> streams);

  void add_waiting(StreamId stream, bool drain, DataSender& sender);
  void refuse_waiting(DataSender& sender);
  bool is_ready(const Waiting& waiting, const DataSender& sender) const;
  bool may_begin(const DataSender& sender) const;
  bool adds_streams() const { return outgoing_wanted_ > 0 || incoming_wanted_ > 0; }
  bool may_reset(const DataSender& sender) const;
  void begin_request(Time now, DataSender& sender, Duration rto_max);
  void begin_reset(DataSender& sender);
  void append_request(TlvWriter& parameters) const;
  void conclude(bool performed, DataSender& sender);

  StreamLimits limits_;
  bool supported_ = false;
  bool established_ = false;
  std::uint16_t outgoing_streams_ = 0;
  std::uint16_t incoming_streams_ = 0;
  std::uint16_t outgoing_wanted_ = 0;  // More of them, to be asked for.
  std::uint16_t incoming_wanted_ = 0;

  ReconfigSeq next_seq_;
  std::vector<Waiting> waiting_;
  std::optional<Request> request_;
  bool answered_ = false;
  RetransmissionTimer timer_;

  ReconfigSeq expected_seq_;
  ReconfigResult last_result_ = ReconfigResult::kNothingToDo;
  std::vector<ReconfigResponse> answers_;  // At most kMaxAnswers.
  bool has_just_reset_ = false;            // The answer that says so has not left.
  std::optional<Deferred> deferred_;
  std::optional<Deferred> finished_;  // The last that was, until the peer has asked and knows.

  StreamGenerations outgoing_;
  StreamGenerations incoming_;
  std::vector<Event> events_;  // At most kMaxEvents, oldest first: no memory before the first.
};

}  // namespace millrace::sctp
