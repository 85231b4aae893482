// SPDX-License-Identifier: Apache-2.0
#include "sctp/stream_reset.h"

#include <algorithm>
#include <array>
#include <utility>

namespace millrace::sctp {
namespace {

bool is_success(ReconfigResult result) {
  return result == ReconfigResult::kPerformed || result == ReconfigResult::kNothingToDo;
}

bool lists(const std::vector<StreamId>& streams, StreamId stream) {
  return std::ranges::find(streams, stream) != streams.end();
}

std::vector<StreamId> copy_of(const StreamList& listed) {
  std::vector<StreamId> streams;
  streams.reserve(listed.size());
  for (std::size_t i = 0; i < listed.size(); ++i) streams.push_back(listed[i]);
  return streams;
}

}  // namespace

void StreamReset::establish(Tsn local_initial_tsn, Tsn peer_initial_tsn,
                            std::uint16_t outgoing_streams, std::uint16_t incoming_streams,
                            bool supported, DataSender& sender) {
  // RFC 6525 §4.1: request sequence numbers begin at the sender's initial TSN.
  next_seq_ = ReconfigSeq(local_initial_tsn.value());
  expected_seq_ = ReconfigSeq(peer_initial_tsn.value());
  outgoing_streams_ = outgoing_streams;
  incoming_streams_ = incoming_streams;
  supported_ = supported;
  established_ = true;
  // RFC 6525 §5.1.1: without the peer's support the application is told so.
  if (!supported_) refuse_waiting(sender);
  const bool wanted = outgoing_wanted_ > 0 || incoming_wanted_ > 0;
  if (wanted && (!supported_ || !may_want(0, 0))) refuse_additions();
}

void StreamReset::restart() {
  established_ = false;
  outgoing_wanted_ = incoming_wanted_ = 0;
  waiting_.clear();
  request_.reset();
  timer_.stop();
  last_result_ = ReconfigResult::kNothingToDo;
  answers_.clear();
  has_just_reset_ = false;
  deferred_.reset();
  finished_.reset();
  events_.clear();
  outgoing_.bump_all();
  incoming_.bump_all();
}

// The side that asks.

void StreamReset::request(std::span<const StreamId> streams, DataSender& sender) {
  for (const StreamId stream : streams) {
    if (request_ && lists(request_->streams, stream)) {
      sender.close_stream(stream);  // Where it was the peer that wished it, `send` went on.
    } else {
      add_waiting(stream, true, sender);
    }
  }
  if (established_ && !supported_) refuse_waiting(sender);
}

void StreamReset::add_waiting(StreamId stream, bool drain, DataSender& sender) {
  const auto at = std::ranges::lower_bound(waiting_, stream, {}, &Waiting::stream);
  if (at == waiting_.end() || at->stream != stream) {
    waiting_.insert(at, Waiting{stream, drain});
  } else if (drain && !at->drain) {
    // The peer wished it and now the application does: what is queued need not wait any more.
    at->drain = true;
    sender.resume_stream(stream);
  } else {
    return;
  }
  // RFC 6525 §5.1.2 (A1): the application asked, so it has nothing more to say on the
  // stream; or the peer did, and what is queued waits for the answer.
  if (drain) {
    sender.close_stream(stream);
  } else {
    sender.pause_stream(stream);
  }
}

void StreamReset::refuse_waiting(DataSender& sender) {
  if (waiting_.empty()) return;
  Event event{EventKind::kRefused, {}};
  for (const Waiting& waiting : waiting_) {
    sender.resume_stream(waiting.stream);
    event.streams.push_back(waiting.stream);
  }
  waiting_.clear();
  events_.push_back(std::move(event));
}

bool StreamReset::is_ready(const Waiting& waiting, const DataSender& sender) const {
  return waiting.drain ? sender.stream_drained(waiting.stream)
                       : sender.may_reset_stream(waiting.stream);
}

bool StreamReset::may_begin(const DataSender& sender) const {
  // RFC 6525 §5.1.1: at most one request in flight.
  if (!established_ || !supported_ || request_) return false;
  return adds_streams() || may_reset(sender);
}

bool StreamReset::may_reset(const DataSender& sender) const {
  return sender.fence_passed() && std::ranges::any_of(waiting_, [&](const Waiting& waiting) {
           return is_ready(waiting, sender);
         });
}

void StreamReset::begin_request(Time now, DataSender& sender, Duration rto_max) {
  request_ = Request();
  if (!begin_addition()) begin_reset(sender);
  request_->seq = next_seq_;
  next_seq_ = next_seq_.next();
  timer_.start(now, sender.rto().rto(), rto_max);
}

void StreamReset::begin_reset(DataSender& sender) {
  std::erase_if(waiting_, [&](const Waiting& waiting) {
    if (request_->streams.size() == kMaxStreamsPerRequest || !is_ready(waiting, sender)) {
      return false;
    }
    sender.pause_stream(waiting.stream);
    request_->streams.push_back(waiting.stream);
    return true;
  });
  // RFC 6525 §5.1.2 (A2, A3, A4).
  request_->last_tsn = sender.next_tsn().previous();
  request_->response_seq = expected_seq_.previous();
  sender.fence_forward_tsn();
}

bool StreamReset::handle_response(Time now, const ReconfigResponse& response, DataSender& sender,
                                  Duration rto_max) {
  // RFC 6525 §5.2.7 (H1): an answer to nothing that is asked.
  if (!request_ || request_->seq != response.response_seq) return false;
  answered_ = true;
  switch (response.result) {
    case ReconfigResult::kInProgress:
      // RFC 6525 §5.2.7 (H2): ask again later, the same, and count no error for it.
      request_->transmit = false;
      request_->in_progress = true;
      timer_.start(now, sender.rto().rto(), rto_max);
      return true;
    case ReconfigResult::kRequestAlreadyInProgress:
    case ReconfigResult::kBadSequenceNumber:
      // The peer has not judged the streams: the same request under a new number, at the
      // pace of the timer and not for ever, so that two ends that disagree do not storm.
      if (++request_->renewals > kMaxRenewals) {
        conclude(false, sender);
        return true;
      }
      request_->seq = next_seq_;
      next_seq_ = next_seq_.next();
      request_->transmit = false;
      return true;
    default:
      conclude(is_success(response.result), sender);
      return true;
  }
}

void StreamReset::conclude(bool performed, DataSender& sender) {
  timer_.stop();
  if (request_->kind != RequestKind::kReset) return conclude_addition(performed, sender);
  for (const StreamId stream : request_->streams) {
    if (performed) {
      // RFC 6525 §5.2.7 (H4): SSNs start at 0 and what waited goes out.
      sender.reset_stream(stream);
    } else {
      sender.resume_stream(stream);
    }
  }
  events_.push_back(
      {performed ? EventKind::kDone : EventKind::kRefused, std::move(request_->streams)});
  request_.reset();
}

// The side that is asked.

bool StreamReset::handle_reconfig(Time now, const ReconfigChunk& chunk, DataSender& sender,
                                  DataReceiver& receiver, Duration rto_max) {
  bool sensible = true;
  TlvReader parameters(chunk.parameters);
  while (const auto parameter = parameters.next()) {
    sensible = handle_parameter(now, *parameter, sender, receiver, rto_max) && sensible;
  }
  return sensible;
}

bool StreamReset::handle_parameter(Time now, const TlvView& parameter, DataSender& sender,
                                   DataReceiver& receiver, Duration rto_max) {
  switch (ReconfigParameterType{parameter.type}) {
    case ReconfigParameterType::kOutgoingSsnReset: {
      const auto request = OutgoingSsnResetRequestView::parse(parameter);
      return request && handle_outgoing_request(*request, receiver);
    }
    case ReconfigParameterType::kIncomingSsnReset: {
      const auto request = IncomingSsnResetRequestView::parse(parameter);
      return request && handle_incoming_request(*request, sender);
    }
    case ReconfigParameterType::kResponse: {
      const auto response = ReconfigResponse::parse(parameter);
      return response && handle_response(now, *response, sender, rto_max);
    }
    // RFC 6525 §5.2.1: what this end does not wish to do, it denies.
    case ReconfigParameterType::kSsnTsnReset: {
      const auto request = SsnTsnResetRequest::parse(parameter);
      return request && deny(request->request_seq);
    }
    case ReconfigParameterType::kAddOutgoingStreams: {
      const auto request = AddOutgoingStreamsRequest::parse(parameter);
      return request && handle_add_outgoing(*request, sender, receiver);
    }
    case ReconfigParameterType::kAddIncomingStreams: {
      const auto request = AddIncomingStreamsRequest::parse(parameter);
      return request && handle_add_incoming(*request);
    }
  }
  return false;
}

bool StreamReset::admit(ReconfigSeq seq) {
  if (seq == expected_seq_) return true;
  if (seq == expected_seq_.previous()) {
    // RFC 6525 §5.2.1: a repetition gets the same answer; a request that was deferred has
    // by then been performed, or is still in progress.
    finished_.reset();
    answer(seq, last_result_);
  } else {
    answer(seq, ReconfigResult::kBadSequenceNumber);
  }
  return false;
}

void StreamReset::answer(ReconfigSeq seq, ReconfigResult result) {
  const auto same = std::ranges::find(answers_, seq, &ReconfigResponse::response_seq);
  if (same != answers_.end()) {
    same->result = result;
    return;
  }
  // A peer that asks faster than it reads loses the oldest answer, and asks again.
  if (answers_.size() == kMaxAnswers) answers_.erase(answers_.begin());
  answers_.push_back({.response_seq = seq, .result = result, .next_tsns = std::nullopt});
}

void StreamReset::conclude_request(ReconfigSeq seq, ReconfigResult result) {
  expected_seq_ = seq.next();
  last_result_ = result;
  finished_.reset();
  answer(seq, result);
}

bool StreamReset::deny(ReconfigSeq seq) {
  if (!admit(seq)) return false;
  conclude_request(seq, ReconfigResult::kDenied);
  return true;
}

bool StreamReset::handle_outgoing_request(const OutgoingSsnResetRequestView& request,
                                          DataReceiver& receiver) {
  if (!admit(request.request_seq)) return false;
  conclude_request(request.request_seq, evaluate(request, receiver));
  return true;
}

ReconfigResult StreamReset::evaluate(const OutgoingSsnResetRequestView& request,
                                     DataReceiver& receiver) {
  std::vector<StreamId> streams = copy_of(request.streams);
  for (const StreamId stream : streams) {
    if (stream.value() >= incoming_streams_) return ReconfigResult::kWrongSsn;
  }
  if (deferred_) {
    // Some stacks ask again under a new number: the old request is then the new one.
    if (deferred_->streams != streams || deferred_->last_tsn != request.last_assigned_tsn) {
      return ReconfigResult::kRequestAlreadyInProgress;
    }
    deferred_->seq = request.request_seq;
    return ReconfigResult::kInProgress;
  }
  // One that is done is done for the new number too: the streams are in their next life, which
  // this must not end.
  if (finished_ && finished_->streams == streams &&
      finished_->last_tsn == request.last_assigned_tsn) {
    return ReconfigResult::kPerformed;
  }
  // RFC 6525 §5.1.1: one request is in flight at a time, so a peer that keeps to that has the
  // answer to the last. To reset every stream costs more than to ask for it.
  if (has_just_reset_ || events_.size() >= kMaxEvents) {
    return ReconfigResult::kRequestAlreadyInProgress;
  }
  if (!receiver.try_reset_streams(streams, request.last_assigned_tsn)) {
    // RFC 6525 §5.2.2 (E2): deferred until the data before it has arrived.
    deferred_ = Deferred{request.request_seq, request.last_assigned_tsn, std::move(streams)};
    return ReconfigResult::kInProgress;
  }
  finish_incoming(std::move(streams));
  has_just_reset_ = true;
  return ReconfigResult::kPerformed;
}

void StreamReset::handle_progress(DataReceiver& receiver) {
  if (!deferred_ || !receiver.try_reset_streams(deferred_->streams, deferred_->last_tsn)) return;
  finish_incoming(deferred_->streams);
  // Only the last request can be the deferred one's, or one that was told to wait for it.
  if (deferred_->seq == expected_seq_.previous()) last_result_ = ReconfigResult::kPerformed;
  // RFC 6525 §5.2.2 (E5), §5.2.7 (H2): a peer that was told "in progress" asks again, and hears
  // then that it is done. Were it told unasked, what it asks next could be another reset as well.
  const auto unsent = std::ranges::find(answers_, deferred_->seq, &ReconfigResponse::response_seq);
  if (unsent != answers_.end()) {
    unsent->result = ReconfigResult::kPerformed;
  } else {
    finished_ = std::move(deferred_);
  }
  deferred_.reset();
}

void StreamReset::finish_incoming(std::vector<StreamId> streams) {
  events_.push_back({EventKind::kIncoming, std::move(streams)});
}

bool StreamReset::handle_incoming_request(const IncomingSsnResetRequestView& request,
                                          DataSender& sender) {
  if (!admit(request.request_seq)) return false;
  conclude_request(request.request_seq, accept_incoming(request, sender));
  return true;
}

ReconfigResult StreamReset::accept_incoming(const IncomingSsnResetRequestView& request,
                                            DataSender& sender) {
  // RFC 6525 §5.2.1: to reset every stream at the peer's wish is refused.
  if (request.streams.empty()) return ReconfigResult::kDenied;
  std::vector<StreamId> streams = copy_of(request.streams);
  for (const StreamId stream : streams) {
    if (stream.value() >= outgoing_streams_) return ReconfigResult::kWrongSsn;
  }
  // RFC 6525 §5.2.3: what is being reset already needs no second reset, and what was never used
  // stands at 0; nor must the peer make this end keep anything for streams that it names.
  std::erase_if(streams, [&](StreamId stream) {
    return (request_ && lists(request_->streams, stream)) || !sender.has_stream(stream);
  });
  if (streams.empty()) return ReconfigResult::kNothingToDo;
  for (const StreamId stream : streams) add_waiting(stream, false, sender);
  return ReconfigResult::kPerformed;
}

// Output, timers, events.

bool StreamReset::is_due(const DataSender& sender) const {
  if (is_idle()) return false;
  return !answers_.empty() || (request_ && request_->transmit) || may_begin(sender);
}

bool StreamReset::append(Time now, PacketWriter& packet, DataSender& sender, Duration rto_max) {
  if (may_begin(sender)) begin_request(now, sender, rto_max);
  const bool transmit = request_ && request_->transmit;
  if (answers_.empty() && !transmit) return false;

  std::array<std::uint8_t, 2 * kMaxStreamsPerRequest + 64> memory;
  TlvWriter parameters(memory);
  for (const ReconfigResponse& response : answers_) parameters.append(response);
  // RFC 6525 §3.1: a request for a reset goes with one response, not with two; any other alone.
  const std::size_t beside = transmit && request_->kind == RequestKind::kReset ? 1 : 0;
  const bool with_request = transmit && answers_.size() <= beside;
  if (with_request) append_request(parameters);
  if (!packet.append(ReconfigChunk{parameters.bytes()})) return false;
  answers_.clear();
  has_just_reset_ = false;
  if (with_request) request_->transmit = false;
  return true;
}

void StreamReset::append_request(TlvWriter& parameters) const {
  switch (request_->kind) {
    case RequestKind::kReset:
      parameters.append(OutgoingSsnResetRequest{.request_seq = request_->seq,
                                                .response_seq = request_->response_seq,
                                                .last_assigned_tsn = request_->last_tsn,
                                                .streams = request_->streams});
      break;
    case RequestKind::kAddOutgoing:
      parameters.append(AddOutgoingStreamsRequest{request_->seq, request_->new_streams});
      break;
    case RequestKind::kAddIncoming:
      parameters.append(AddIncomingStreamsRequest{request_->seq, request_->new_streams});
      break;
  }
}

bool StreamReset::handle_timeout(Time now) {
  if (!timer_.expire(now)) return false;
  // RFC 6525 §5.1.1: repeated unchanged; §5.2.7 (H2): the expiry that follows an "in
  // progress" is no error, one that follows silence is.
  request_->transmit = true;
  return !std::exchange(request_->in_progress, false);
}

StreamReset::Event StreamReset::take_event() {
  Event event = std::move(events_.front());
  events_.erase(events_.begin());
  // A generation begins with its event, not with the packet that caused it, so that the
  // owner sees both change at once. Messages received before a reset are handed out first.
  if (event.kind != EventKind::kDone && event.kind != EventKind::kIncoming) return event;
  StreamGenerations& generations = event.kind == EventKind::kDone ? outgoing_ : incoming_;
  if (event.streams.empty()) generations.bump_all();
  for (const StreamId stream : event.streams) generations.bump(stream);
  return event;
}

}  // namespace millrace::sctp
