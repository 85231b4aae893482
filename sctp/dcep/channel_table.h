// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "sctp/dcep/data_channel.h"
#include "sctp/types.h"

namespace millrace::sctp {

// ChannelTable stores the channels of one association: by slot for the owner's handles,
// by stream id for what arrives. Its memory grows with the channels in use, not with the
// streams negotiated. References to channels end with the next `create`.
class ChannelTable {
 public:
  // Channel is a DataChannel with what only the protocol needs to know.
  struct Channel : DataChannel {
    bool in_use = false;
    bool announced = false;     // The owner knows the handle and is owed kClosed.
    bool open_unsent = false;   // OPEN found no room.
    bool ack_unsent = false;    // ACK found no room.
    bool ack_expected = false;  // The peer owes one.
    bool outgoing_reset = false;
    bool incoming_reset = false;
    bool unusable = false;  // The peer refused the reset: the id is lost.
    ChannelError error = ChannelError::kNone;
    // The generations of the stream that belong to this channel; a later one is the next
    // channel's, an earlier one's leftovers are ignored.
    std::uint32_t incoming_generation = 0;
    std::uint32_t outgoing_generation = 0;
    std::size_t part_bytes = 0;      // Of the message that is being sent in parts.
    std::size_t partial_offset = 0;  // Bytes delivered of a message of deprecated PPIDs.
  };

  // The table holds what it is told to; bounds are the caller's.
  Channel& create();
  void erase(Channel& channel);
  // `stream` is not in the table.
  void bind(Channel& channel, StreamId stream);
  void unbind(Channel& channel);

  Channel* find(ChannelHandle handle);
  const Channel* find(ChannelHandle handle) const;
  Channel* find(StreamId stream);

  // Returns the least id of the sequence `first`, `first` + 2, … that is below `end` and
  // not in the table.
  std::optional<StreamId> lowest_free(std::uint16_t first, std::uint16_t end) const;

  std::size_t size() const { return size_; }
  std::size_t string_bytes() const { return string_bytes_; }
  void set_strings(Channel& channel, std::string_view label, std::string_view protocol);

  // Calls `visit` with each channel; it may erase the one that it is given.
  template <class Visit>
  void for_each(Visit visit) {
    for (std::size_t i = 0; i < slots_.size(); ++i) {
      if (slots_[i].in_use) visit(slots_[i]);
    }
  }
  template <class Visit>
  void for_each(Visit visit) const {
    for (const Channel& channel : slots_) {
      if (channel.in_use) visit(channel);
    }
  }

 private:
  struct Entry {
    StreamId stream;
    std::uint32_t slot;
  };
  std::vector<Entry>::const_iterator position(StreamId stream) const;

  std::vector<Channel> slots_;
  std::vector<std::uint32_t> free_;
  std::vector<Entry> by_stream_;  // Sorted by stream.
  Entry last_found_{};            // Traffic comes in runs on one channel.
  bool has_last_ = false;
  std::size_t size_ = 0;
  std::size_t string_bytes_ = 0;
};

}  // namespace millrace::sctp
