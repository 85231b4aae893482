// SPDX-License-Identifier: Apache-2.0
// StreamReset's additions of streams: RFC 6525 §5.1.5, §5.1.6, §5.2.5, §5.2.6.
#include <utility>

#include "sctp/stream_reset.h"

namespace millrace::sctp {

// The side that asks.

void StreamReset::request_streams(std::uint16_t outgoing, std::uint16_t incoming) {
  if (!may_want(outgoing, incoming) || (established_ && !supported_)) return refuse_additions();
  outgoing_wanted_ = static_cast<std::uint16_t>(outgoing_wanted_ + outgoing);
  incoming_wanted_ = static_cast<std::uint16_t>(incoming_wanted_ + incoming);
}

// Whether there are numbers for so many more than were asked for already.
bool StreamReset::may_want(std::uint16_t outgoing, std::uint16_t incoming) const {
  unsigned out = outgoing_streams_ + unsigned{outgoing_wanted_} + outgoing;
  unsigned in = incoming_streams_ + unsigned{incoming_wanted_} + incoming;
  if (request_ && request_->kind == RequestKind::kAddOutgoing) out += request_->new_streams;
  if (request_ && request_->kind == RequestKind::kAddIncoming) in += request_->new_streams;
  return out <= limits_.outgoing && in <= limits_.incoming;
}

void StreamReset::refuse_additions() {
  outgoing_wanted_ = incoming_wanted_ = 0;
  events_.push_back({EventKind::kAdditionRefused, {}});
}

bool StreamReset::begin_addition() {
  if (outgoing_wanted_ > 0) {
    request_->kind = RequestKind::kAddOutgoing;
    request_->new_streams = std::exchange(outgoing_wanted_, std::uint16_t{0});
  } else if (incoming_wanted_ > 0) {
    request_->kind = RequestKind::kAddIncoming;
    request_->new_streams = std::exchange(incoming_wanted_, std::uint16_t{0});
  } else {
    return false;
  }
  return true;
}

void StreamReset::conclude_addition(bool performed, DataSender& sender) {
  const Request request = std::move(*request_);
  request_.reset();
  if (!performed) {
    events_.push_back({EventKind::kAdditionRefused, {}});
  } else if (request.kind == RequestKind::kAddOutgoing) {
    // RFC 6525 §5.1.5, §5.2.7 (H6): of use from the positive answer on, adjacent to the others.
    outgoing_streams_ = static_cast<std::uint16_t>(outgoing_streams_ + request.new_streams);
    sender.set_streams(outgoing_streams_);
    events_.push_back({EventKind::kAdded, {}});
  }
  // RFC 6525 §5.2.6: what the peer was asked to add comes with a request of its own.
}

// The side that is asked.

bool StreamReset::handle_add_outgoing(const AddOutgoingStreamsRequest& request, DataSender& sender,
                                      DataReceiver& receiver) {
  if (!admit(request.request_seq)) return false;
  conclude_request(request.request_seq, accept_added(request.new_streams, receiver));
  // RFC 6525 §5.2.6: to an Add Incoming Streams Request this may be the whole answer.
  if (request_ && request_->kind == RequestKind::kAddIncoming) conclude(true, sender);
  return true;
}

ReconfigResult StreamReset::accept_added(std::uint16_t new_streams, DataReceiver& receiver) {
  if (new_streams == 0) return ReconfigResult::kNothingToDo;
  // RFC 6525 §5.2.5: denied beyond the limit.
  if (incoming_streams_ + unsigned{new_streams} > limits_.incoming) return ReconfigResult::kDenied;
  if (events_.size() >= kMaxEvents) return ReconfigResult::kRequestAlreadyInProgress;
  incoming_streams_ = static_cast<std::uint16_t>(incoming_streams_ + new_streams);
  receiver.set_streams(incoming_streams_);
  events_.push_back({EventKind::kAdded, {}});
  return ReconfigResult::kPerformed;
}

bool StreamReset::handle_add_incoming(const AddIncomingStreamsRequest& request) {
  if (!admit(request.request_seq)) return false;
  conclude_request(request.request_seq, accept_to_add(request.new_streams));
  return true;
}

ReconfigResult StreamReset::accept_to_add(std::uint16_t new_streams) {
  if (new_streams == 0) return ReconfigResult::kNothingToDo;
  // RFC 6525 §5.2.6: denied beyond the limit; else this end asks for what the peer wants.
  if (!may_want(new_streams, 0)) return ReconfigResult::kDenied;
  outgoing_wanted_ = static_cast<std::uint16_t>(outgoing_wanted_ + new_streams);
  return ReconfigResult::kPerformed;
}

}  // namespace millrace::sctp
