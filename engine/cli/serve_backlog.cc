// SPDX-License-Identifier: Apache-2.0
//
// What `serve` passes on, and what waits where the other end takes it too slowly.
#include <algorithm>
#include <utility>

#include "engine/cli/serve_handler.h"

namespace millrace::cli {
namespace {

// Parts that wait are joined up to this: pieces are as small as packets.
constexpr std::size_t kJoinBytes = std::size_t{64} << 10;

// The capacity that `bytes` gets for `more`: it doubles, up to `most`, which both fit in.
std::size_t room_for(const std::vector<std::uint8_t>& bytes, std::size_t more, std::size_t most) {
  const std::size_t needed = bytes.size() + more;
  if (needed <= bytes.capacity()) return bytes.capacity();
  return std::max(needed, std::min(2 * bytes.capacity(), most));
}

}  // namespace

bool ServeHandler::take(const ServeChannel& channel, std::size_t bytes) {
  return budget_.take(channel.channel.session(), bytes, options_.session_backlog_bytes,
                      options_.shard_backlog_bytes);
}

void ServeHandler::give_back(const ServeChannel& channel, std::size_t bytes) {
  budget_.give_back(channel.channel.session(), bytes);
}

// Forgets all that is kept of a channel and for it.
void ServeHandler::drop_kept(ServeChannel& channel) {
  give_back(channel, std::exchange(channel.backlog_cost, 0));
  channel.backlog.clear();
  (void)take_partial(channel);
}

void ServeHandler::close_slow(ServeChannel& to) {
  counters_.channels_closed_slow.fetch_add(1, std::memory_order_relaxed);
  options_.log.channel(to.channel, to.label, "closed: its peer takes too slowly what it gets");
  to.closing = true;
  drop_kept(to);
  to.channel.close();
}

void ServeHandler::pass_on(ServeChannel& to, const MessageView& message) {
  if (to.closing) return;
  if (!to.backlog.empty()) return keep(to, message);
  switch (to.channel.send(message.pieces, message.kind)) {
    case SendStatus::kOk:
      return;
    case SendStatus::kWouldBlock:
      return keep(to, message);
    case SendStatus::kTooLarge:
      counters_.messages_dropped_slow.fetch_add(1, std::memory_order_relaxed);
      if (!to.reliable) return;
      to.closing = true;
      return to.channel.close();
    case SendStatus::kAbandoned:
    case SendStatus::kClosed:
      return;
  }
}

// A message that comes in parts goes back in parts, each as it comes.
void ServeHandler::pass_on_part(ServeChannel& to, const MessageView& message) {
  if (to.closing) return;
  if (message.offset == 0) to.skipping = false;
  if (message.aborted) {
    if (!to.skipping) abort_parts(to);
    return;
  }
  for (std::size_t i = 0; i < message.pieces.size() && !to.closing && !to.skipping; ++i) {
    const bool last = message.last && i + 1 == message.pieces.size();
    const SendStatus status = to.backlog.empty()
                                  ? send_part(to, message.kind, message.pieces[i], last)
                                  : SendStatus::kWouldBlock;
    if (status == SendStatus::kWouldBlock) {
      keep_part(to, message.kind, message.pieces[i], last);
    } else if (status != SendStatus::kOk) {
      to.skipping = true;
    }
  }
}

SendStatus ServeHandler::send_part(ServeChannel& to, MessageKind kind,
                                   std::span<const std::uint8_t> piece, bool last) {
  const SendStatus status = to.channel.send_part(piece, {.last = last}, kind);
  if (status == SendStatus::kOk) to.in_parts = !last;
  if (status == SendStatus::kAbandoned) to.in_parts = false;
  if (status == SendStatus::kTooLarge) {
    counters_.messages_dropped_slow.fetch_add(1, std::memory_order_relaxed);
    if (to.reliable || (std::exchange(to.in_parts, false) && !to.channel.abort_message())) {
      to.closing = true;
      to.channel.close();
    }
  }
  return status;
}

// Takes back the message of which the last part has not come.
void ServeHandler::abort_parts(ServeChannel& to) {
  while (!to.backlog.empty() && to.backlog.back().part && !to.backlog.back().last) {
    uncharge(to, to.backlog.back().cost);
    to.backlog.pop_back();
  }
  // What is left was before it: then nothing of it was sent.
  if (!to.backlog.empty() || !std::exchange(to.in_parts, false)) return;
  if (to.channel.abort_message()) return;
  to.closing = true;
  to.channel.close();
}

bool ServeHandler::may_keep(ServeChannel& to, std::size_t cost) {
  if (to.backlog_cost + cost <= options_.backlog_bytes && take(to, cost)) {
    to.backlog_cost += cost;
    return true;
  }
  if (to.reliable) {
    close_slow(to);
  } else {
    counters_.messages_dropped_slow.fetch_add(1, std::memory_order_relaxed);
  }
  return false;
}

void ServeHandler::uncharge(ServeChannel& channel, std::size_t cost) {
  channel.backlog_cost -= cost;
  give_back(channel, cost);
}

void ServeHandler::keep(ServeChannel& to, const MessageView& message) {
  const std::size_t size = message.size();
  const std::size_t cost = kStoredMessageCost + size;
  if (!may_keep(to, cost)) return;
  StoredMessage& stored = to.backlog.emplace_back();
  stored.kind = message.kind;
  stored.cost = cost;
  stored.bytes.reserve(size);
  message.append_to(stored.bytes);
}

void ServeHandler::keep_part(ServeChannel& to, MessageKind kind,
                             std::span<const std::uint8_t> piece, bool last) {
  const bool joins = !to.backlog.empty() && to.backlog.back().part && !to.backlog.back().last &&
                     to.backlog.back().bytes.size() + piece.size() <= kJoinBytes;
  const std::size_t room =
      joins ? room_for(to.backlog.back().bytes, piece.size(), kJoinBytes) : piece.size();
  const std::size_t cost =
      joins ? room - to.backlog.back().bytes.capacity() : kStoredMessageCost + room;
  if (!may_keep(to, cost)) {
    if (to.closing) return;
    abort_parts(to);
    to.skipping = true;
    return;
  }
  StoredMessage& stored = joins ? to.backlog.back() : to.backlog.emplace_back();
  stored.kind = kind;
  stored.cost += cost;
  stored.bytes.reserve(room);
  stored.bytes.insert(stored.bytes.end(), piece.begin(), piece.end());
  stored.part = true;
  stored.last = last;
}

// Keeps a part of a message that is passed on whole. False where there is no room for it.
bool ServeHandler::keep_partial(ServeChannel& from, const MessageView& message) {
  const std::size_t most = options_.backlog_bytes;
  if (from.partial.size() + message.size() > most) return false;
  const std::size_t room = room_for(from.partial, message.size(), most);
  const std::size_t cost = room - from.partial.capacity();
  if (!take(from, cost)) return false;
  from.partial_cost += cost;
  from.partial.reserve(room);
  message.append_to(from.partial);
  return true;
}

std::vector<std::uint8_t> ServeHandler::take_partial(ServeChannel& from) {
  give_back(from, std::exchange(from.partial_cost, 0));
  return std::exchange(from.partial, {});
}

bool ServeHandler::drain(ServeChannel& channel) {
  bool dropping = false;  // The rest of a message that was given up.
  while (!channel.backlog.empty() && !channel.closing) {
    const StoredMessage& next = channel.backlog.front();
    if (!dropping) {
      const SendStatus status = next.part ? send_part(channel, next.kind, next.bytes, next.last)
                                          : channel.channel.send(next.bytes, next.kind);
      if (status == SendStatus::kWouldBlock) return false;
      dropping = next.part && status != SendStatus::kOk;
    }
    if (next.last) dropping = false;
    uncharge(channel, next.cost);
    channel.backlog.pop_front();
  }
  channel.skipping |= dropping;
  return !channel.closing;
}

}  // namespace millrace::cli
