// SPDX-License-Identifier: Apache-2.0
#include "sctp/dcep/channel_table.h"

#include <algorithm>

#include "engine/base/check.h"

namespace millrace::sctp {

ChannelTable::Channel& ChannelTable::create() {
  if (free_.empty()) {
    free_.push_back(static_cast<std::uint32_t>(slots_.size()));
    slots_.emplace_back();
  }
  const std::uint32_t slot = free_.back();
  free_.pop_back();
  Channel& channel = slots_[slot];
  const std::uint32_t generation = channel.handle.generation + 1;
  channel = Channel();
  channel.in_use = true;
  channel.handle = {slot, generation == 0 ? 1 : generation};
  ++size_;
  return channel;
}

void ChannelTable::erase(Channel& channel) {
  DCHECK(channel.in_use);
  if (channel.has_stream) unbind(channel);
  set_strings(channel, {}, {});
  channel.in_use = false;
  free_.push_back(channel.handle.slot);
  --size_;
}

void ChannelTable::bind(Channel& channel, StreamId stream) {
  const auto at = position(stream);
  CHECK(!channel.has_stream && (at == by_stream_.end() || at->stream != stream));
  by_stream_.insert(at, {stream, channel.handle.slot});
  channel.stream = stream;
  channel.has_stream = true;
}

void ChannelTable::unbind(Channel& channel) {
  const auto at = position(channel.stream);
  CHECK(channel.has_stream && at != by_stream_.end() && at->stream == channel.stream);
  by_stream_.erase(at);
  channel.has_stream = false;
  has_last_ = false;
}

ChannelTable::Channel* ChannelTable::find(ChannelHandle handle) {
  if (handle.slot >= slots_.size()) return nullptr;
  Channel& channel = slots_[handle.slot];
  return channel.in_use && channel.handle == handle ? &channel : nullptr;
}

const ChannelTable::Channel* ChannelTable::find(ChannelHandle handle) const {
  if (handle.slot >= slots_.size()) return nullptr;
  const Channel& channel = slots_[handle.slot];
  return channel.in_use && channel.handle == handle ? &channel : nullptr;
}

ChannelTable::Channel* ChannelTable::find(StreamId stream) {
  if (has_last_ && last_found_.stream == stream) return &slots_[last_found_.slot];
  const auto at = position(stream);
  if (at == by_stream_.end() || at->stream != stream) return nullptr;
  last_found_ = *at;
  has_last_ = true;
  return &slots_[at->slot];
}

std::optional<StreamId> ChannelTable::lowest_free(std::uint16_t first, std::uint16_t end) const {
  std::uint32_t candidate = first;
  for (const Entry& entry : by_stream_) {
    if (entry.stream.value() == candidate) candidate += 2;
  }
  if (candidate >= end) return std::nullopt;
  return StreamId(static_cast<std::uint16_t>(candidate));
}

void ChannelTable::set_strings(Channel& channel, std::string_view label,
                               std::string_view protocol) {
  string_bytes_ -= channel.label.size() + channel.protocol.size();
  // Swapped, so that a long one's memory goes with it.
  std::string(label).swap(channel.label);
  std::string(protocol).swap(channel.protocol);
  string_bytes_ += label.size() + protocol.size();
}

std::vector<ChannelTable::Entry>::const_iterator ChannelTable::position(StreamId stream) const {
  return std::ranges::lower_bound(by_stream_, stream, {}, &Entry::stream);
}

}  // namespace millrace::sctp
