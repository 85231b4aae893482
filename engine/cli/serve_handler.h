// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/cli/backlog_budget.h"
#include "engine/cli/part_pattern.h"
#include "engine/cli/relay_hub.h"
#include "engine/cli/serve_channel.h"
#include "engine/cli/serve_counters.h"
#include "engine/cli/serve_log.h"
#include "engine/report/cpu_time.h"
#include "millrace/handler.h"

namespace millrace::cli {

// ServeOptions are what `serve` does beyond its engine.
struct ServeOptions {
  // Bytes kept for a channel whose peer takes them too slowly, at what they cost: a message's
  // place in the list is charged, too (kStoredMessageCost). Beyond it an unreliable channel
  // loses the message and a reliable one is closed.
  std::size_t backlog_bytes = 16u << 20;
  // The same for the channels of a session together, and of a shard: no peer makes a shard keep
  // more, with whatever it opens.
  std::size_t session_backlog_bytes = 64u << 20;
  std::size_t shard_backlog_bytes = 1u << 30;
  report::CpuTime (*cpu_time)() = nullptr;  // The server's; null: reported as 0.
  SessionLog log;
};

// ServeHandler is one shard of `millrace serve`: what a channel does is decided by the
// beginning of its label.
//
//   echo…        every message comes back, with its type
//   sink…        messages are counted; the string "report" is answered by a JSON string
//   source…      sends as its protocol asks: "size=1000&count=0&rate=0"
//   relay:NAME   messages go to every other channel of that label, on any shard
//
// Channels of other labels are accepted and what they send is ignored.
class ServeHandler final : public Handler {
 public:
  ServeHandler(ShardContext& context, const ServeOptions& options, RelayHub& relays,
               ServeCounters& counters)
      : context_(context), options_(options), relays_(relays), counters_(counters) {}

  void on_session_open(SessionId session) override;
  void on_session_close(SessionId session, CloseReason reason) override;
  void on_channel_open(Channel channel) override;
  void on_channel_close(Channel channel) override;
  void on_message(Channel channel, const MessageView& message) override;
  void on_writable(Channel channel) override;
  void on_buffered_amount_low(Channel channel) override;
  void on_wakeup(Time now) override;

  // Delivers a message that a relay channel of another shard has received.
  void relay_from_afar(const std::string& label, const StoredMessage& message);

  // Sources noted for a later time: of those that have closed no more than of the others.
  std::size_t noted_sources() const { return due_.size(); }

 private:
  struct Due {
    Time when;
    std::size_t slot;
    std::uint64_t generation;
    bool operator>(const Due& other) const { return when > other.when; }
  };

  ServeChannel* find(const Channel& channel);
  // serve_backlog.cc: what is passed on, and what waits for room.
  void pass_on(ServeChannel& to, const MessageView& message);
  void pass_on_part(ServeChannel& to, const MessageView& message);
  // Charges it where it is within the bounds; else it is the channel's end, or the message's.
  bool may_keep(ServeChannel& to, std::size_t cost);
  void keep(ServeChannel& to, const MessageView& message);
  void keep_part(ServeChannel& to, MessageKind kind, std::span<const std::uint8_t> piece,
                 bool last);
  void abort_parts(ServeChannel& to);
  bool keep_partial(ServeChannel& from, const MessageView& message);
  std::vector<std::uint8_t> take_partial(ServeChannel& from);
  bool take(const ServeChannel& channel, std::size_t bytes);
  void give_back(const ServeChannel& channel, std::size_t bytes);
  void uncharge(ServeChannel& channel, std::size_t cost);
  void drop_kept(ServeChannel& channel);
  SendStatus send_part(ServeChannel& to, MessageKind kind, std::span<const std::uint8_t> piece,
                       bool last);
  // Sends what was kept; true when nothing is left.
  bool drain(ServeChannel& channel);
  void close_slow(ServeChannel& to);
  void on_sink(ServeChannel& channel, const MessageView& message);
  void answer_reports(ServeChannel& channel);
  report::CpuTime cpu_time();
  void run_source(ServeChannel& channel);
  SendStatus send_from_source(ServeChannel& channel);
  void schedule(ServeChannel& channel, Time when);
  bool is_stale(const Due& due) const;
  void clear_stale();
  void relay(ServeChannel& from, const MessageView& message);

  ShardContext& context_;
  const ServeOptions& options_;
  RelayHub& relays_;
  ServeCounters& counters_;
  std::vector<std::unique_ptr<ServeChannel>> channels_;
  std::vector<std::size_t> free_;
  std::uint64_t generations_ = 0;
  BacklogBudget budget_;
  std::vector<Due> due_;    // A heap, the earliest first;
  std::size_t stale_ = 0;   // so many of it are of channels that have closed.
  std::vector<Due> ready_;  // Of one wake-up.
  std::vector<std::uint8_t> source_bytes_;
  std::optional<PartPattern> pattern_;  // Of what sources send in parts.
  std::optional<Time> cpu_read_;
  report::CpuTime cpu_time_;  // As of then.
};

}  // namespace millrace::cli
