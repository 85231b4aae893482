// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "millrace/channel.h"
#include "millrace/message.h"
#include "millrace/types.h"

namespace millrace {

namespace engine {
class ShardCore;
}

// ShardContext is what a handler may ask of the shard it runs on. Lives as long as the
// engine; used on the shard's thread alone.
class ShardContext {
 public:
  explicit ShardContext(engine::ShardCore& core) : core_(&core) {}

  unsigned index() const;
  // The turn's time: read once a turn, the same throughout it.
  Time now() const;
  // Reads the clock anew, for measurements within a turn. Virtual in simulations.
  Time precise_now() const;
  // Asks for `on_wakeup` at `when` or as soon after as the shard turns; replaces an
  // earlier request. kNever cancels.
  void wake_at(Time when);

  // Opens a channel on an established session. An error names the option at fault.
  Result<Channel, Error> open_channel(SessionId session, const ChannelOptions& options);
  // Ends a session: SHUTDOWN after what is queued, then close_notify.
  void close_session(SessionId session);
  // A word of the application's own, 0 at first; kept while the session lives.
  std::uint64_t user_data(SessionId session) const;
  void set_user_data(SessionId session, std::uint64_t word);

 private:
  engine::ShardCore* core_;
};

// Handler receives one shard's events, on that shard's thread. It must not block or throw.
// It may call anything of Channel and ShardContext from within an event, on this session
// and on others; what follows from it may be told at once, on other sessions: an event
// may begin within another session's.
class Handler {
 public:
  virtual ~Handler() = default;

  // ICE, DTLS (fingerprint matched) and SCTP are up: channels may be opened.
  virtual void on_session_open(SessionId /*session*/) {}
  // The last event of a session, also of one that never opened. Its channels have each
  // had on_channel_close before.
  virtual void on_session_close(SessionId /*session*/, CloseReason /*reason*/) {}

  // A channel is usable: the peer opened it, or ours was acknowledged.
  virtual void on_channel_open(Channel /*channel*/) {}
  virtual void on_channel_close(Channel /*channel*/) {}
  // `message` is lent for the length of the call.
  virtual void on_message(Channel /*channel*/, const MessageView& /*message*/) {}
  // A channel whose `send` said kWouldBlock has room again.
  virtual void on_writable(Channel /*channel*/) {}
  virtual void on_buffered_amount_low(Channel /*channel*/) {}
  // Of a message that was sent with MessageOptions::id, on its sender's side. Everything known of
  // a channel's messages comes before its on_channel_close, unless the peer refuses to reset the
  // stream or uses it again before it has answered: then some comes later, and `channel` is the
  // closed one's handle. All of it comes before on_session_close.
  virtual void on_message_progress(Channel /*channel*/, const MessageProgress& /*progress*/) {}

  // The time asked for with ShardContext::wake_at has come.
  virtual void on_wakeup(Time /*now*/) {}
};

}  // namespace millrace
