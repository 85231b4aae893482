// SPDX-License-Identifier: Apache-2.0
#include "sctp/tx/outgoing_message.h"

namespace millrace::sctp {

MessageStore::~MessageStore() {
  MessageProgress untold;
  StreamId stream;
  while (has_progress()) poll_progress(untold, stream);
}

void MessageStore::track(OutgoingMessage& message, const MessageTag& tag) {
  if (!tracker_) tracker_ = std::make_unique<MessageTracker>();
  tracker_->begin(message, tag);
}

void MessageStore::note_left_queue(OutgoingMessage& message) {
  if (message.is_tracked() && message.extent() == MessageExtent::kWhole) {
    tracker_->note_sent(message);
  }
}

void MessageStore::give_news(const MessageNews& news) {
  if (news.first == nullptr) return;
  if (!tracker_) tracker_ = std::make_unique<MessageTracker>();
  tracker_->give_news(news);
}

bool MessageStore::poll_progress(MessageProgress& out, StreamId& stream) {
  if (!has_progress()) return false;
  OutgoingMessage& message = tracker_->poll(out);
  stream = message.stream;
  const Tracking& tracking = message.tracking();
  if (tracking.released && !tracking.has_news) free_block(&message);
  return true;
}

bool MessageStore::give_up_extras(OutgoingMessage& message) {
  if (message.streamed != nullptr) message.streamed->~StreamedPayload();
  if ((message.extras & OutgoingMessage::kAdopted) != 0) {
    reinterpret_cast<OwnedBytes*>(behind(&message))->~OwnedBytes();
  }
  if (!message.is_tracked()) return true;
  // Nothing holds it any more: what was sent whole has been acknowledged, and the rest dropped.
  const bool delivered = !message.abandoned && message.extent() == MessageExtent::kWhole;
  tracker_->end(message, message.abandoned ? MessageStage::kAbandoned
                         : delivered       ? MessageStage::kDelivered
                                           : MessageStage::kEnded);
  message.tracking().released = true;
  return !message.tracking().has_news;
}

}  // namespace millrace::sctp
