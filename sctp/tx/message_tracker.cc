// SPDX-License-Identifier: Apache-2.0
#include "sctp/tx/message_tracker.h"

#include <new>

#include "sctp/tx/outgoing_message.h"

namespace millrace::sctp {

void MessageTracker::begin(OutgoingMessage& message, const MessageTag& tag) {
  DCHECK(message.queued);
  message.extras |= OutgoingMessage::kTracked;
  Tracking& tracking = *::new (&message.tracking()) Tracking;
  tracking.tag = tag;
  if (message.stream_index >= newest_.size()) newest_.resize(message.stream_index + 1);
  OutgoingMessage*& newest = newest_[message.stream_index];
  tracking.next = newest;
  if (newest != nullptr) newest->tracking().previous = &message;
  newest = &message;
}

void MessageTracker::note_sent(OutgoingMessage& message) {
  Tracking& tracking = message.tracking();
  if (tracking.end != MessageStage::kSent) return;
  tracking.tells_sent = true;
  add_news(message);
}

void MessageTracker::end(OutgoingMessage& message, MessageStage stage) {
  Tracking& tracking = message.tracking();
  if (tracking.end != MessageStage::kSent) return;
  tracking.end = stage;
  tracking.extent = message.extent();
  OutgoingMessage*& to_it = tracking.previous != nullptr ? tracking.previous->tracking().next
                                                         : newest_[message.stream_index];
  to_it = tracking.next;
  if (tracking.next != nullptr) tracking.next->tracking().previous = tracking.previous;
  add_news(message);
}

void MessageTracker::end_sent(std::uint32_t stream_index) {
  if (stream_index >= newest_.size()) return;
  for (OutgoingMessage* at = newest_[stream_index]; at != nullptr;) {
    OutgoingMessage& message = *at;
    at = message.tracking().next;
    if (!message.queued) end(message, MessageStage::kEnded);
  }
}

void MessageTracker::end_all() {
  for (OutgoingMessage* const& newest : newest_) {
    while (newest != nullptr) end(*newest, MessageStage::kEnded);
  }
}

OutgoingMessage& MessageTracker::poll(MessageProgress& out) {
  OutgoingMessage& message = *news_.first;
  Tracking& tracking = message.tracking();
  out.tag = tracking.tag;
  if (std::exchange(tracking.tells_sent, false)) {
    out.stage = MessageStage::kSent;
    out.sent = MessageExtent::kWhole;
    // Where its end came meanwhile, that is next.
    if (tracking.end != MessageStage::kSent) return message;
  } else {
    out.stage = tracking.end;
    out.sent = tracking.extent;
  }
  news_.first = tracking.next_news;
  if (news_.first == nullptr) news_.last = nullptr;
  tracking.next_news = nullptr;
  tracking.has_news = false;
  return message;
}

void MessageTracker::add_news(OutgoingMessage& message) {
  if (std::exchange(message.tracking().has_news, true)) return;
  (news_.last != nullptr ? news_.last->tracking().next_news : news_.first) = &message;
  news_.last = &message;
}

}  // namespace millrace::sctp
