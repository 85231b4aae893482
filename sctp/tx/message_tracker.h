// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "sctp/message_progress.h"

namespace millrace::sctp {

struct OutgoingMessage;

// Tracking is what a message has besides that was sent with an id. It lies in the message's own
// block, so that it is paid for and bounded as that is, and no message has a part in another's.
struct Tracking {
  MessageTag tag;
  OutgoingMessage* previous = nullptr;     // Of those of its stream whose end is not known yet,
  OutgoingMessage* next = nullptr;         // the newest first.
  OutgoingMessage* next_news = nullptr;    // Of those with something to tell, the oldest first.
  MessageStage end = MessageStage::kSent;  // kSent: it is not known yet.
  MessageExtent extent = MessageExtent::kNone;  // At its end.
  bool has_news = false;
  bool tells_sent = false;
  bool released = false;  // Only its news keeps the block.
};

// MessageNews is a list of messages that have something to tell.
struct MessageNews {
  OutgoingMessage* first = nullptr;
  OutgoingMessage* last = nullptr;
};

// MessageTracker knows the messages of a sender that were sent with an id, and what is to be told
// of them: of each that it has been sent, where it has, and once how it ended.
class MessageTracker {
 public:
  // The message is queued, and its block has room for a Tracking.
  void begin(OutgoingMessage& message, const MessageTag& tag);
  void note_sent(OutgoingMessage& message);
  // The first end of a message is its end, whatever is said later.
  void end(OutgoingMessage& message, MessageStage stage);
  // Ends those of the stream, by its index, that have been sent whole.
  void end_sent(std::uint32_t stream_index);
  void end_all();

  bool has_news() const { return news_.first != nullptr; }
  // The next thing to tell, of the message returned; there must be one. Where nothing needs the
  // message any more the caller frees it.
  OutgoingMessage& poll(MessageProgress& out);
  // Of a sender that is replaced, for its successor to tell.
  MessageNews take_news() { return std::exchange(news_, {}); }
  void give_news(const MessageNews& news) { news_ = news; }

 private:
  void add_news(OutgoingMessage& message);

  std::vector<OutgoingMessage*> newest_;  // By the stream's index, of those that have not ended.
  MessageNews news_;
};

}  // namespace millrace::sctp
