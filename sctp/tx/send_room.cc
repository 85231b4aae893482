// SPDX-License-Identifier: Apache-2.0
// DataSender's and its queue's bounds: what finds room, and who is told when there is some.
#include <algorithm>
#include <utility>

#include "sctp/tx/data_sender.h"

namespace millrace::sctp {

bool DataSender::has_room(Time now, SendStream* stream, std::size_t cost,
                          const SendOptions& options) {
  return find_room(
      now, {.stream = stream,
            .cost = cost,
            .yielding_from = options.gives_way() ? std::uint64_t{*options.priority} + 1 : 0});
}

bool DataSender::has_room_for_part(Time now, const OutgoingMessage& message, std::size_t cost) {
  return find_room(now, {.stream = &queue_.stream_at(message.stream_index),
                         .cost = cost,
                         .yielding_from = message.yields() ? std::uint64_t{message.limit} + 1 : 0,
                         .open = &message});
}

bool DataSender::find_room(Time now, const Applicant& applicant) {
  Shortage missing = shortage(applicant);
  if (!missing.any()) return true;
  if (queue_.has_yielding() && make_room(now, applicant)) return true;
  missing = shortage(applicant);
  const bool part = applicant.open != nullptr;
  if (missing.own > 0) {
    SendStream& stream = *applicant.stream;
    const std::size_t level = stream.cost - missing.own;
    queue_.want_room(stream, std::min(level, options_.stream_send_buffer_bytes / 2), part);
  } else {
    want_room(queue_.cost() - missing.total);
    if (part) queue_.note_part_waits(*applicant.stream);
  }
  return false;
}

// What came of an open message stays where it is until more comes, where that is what is
// missing: to refuse it for want of room would be for ever.
DataSender::Shortage DataSender::shortage(const Applicant& applicant) const {
  const SendStream* const stream = applicant.stream;
  const auto beyond = [&](std::size_t bound, std::size_t extra, std::size_t taken) {
    const std::size_t wanted = taken + std::min(applicant.cost, bound);
    return wanted - std::min(wanted, bound + extra);
  };
  const bool starved = applicant.open != nullptr && queue_.is_starved(*stream);
  Shortage missing;
  const std::size_t own = options_.stream_send_buffer_bytes;
  if (own > 0 && stream != nullptr && !starved) missing.own = beyond(own, 0, stream->cost);
  if (starved && queue_.is_stuck(*stream)) return missing;
  const std::size_t buffer = options_.send_buffer_bytes;
  const bool idle = starved || stream == nullptr || stream->buffered == 0;
  missing.total = beyond(buffer, idle ? buffer / kIdleStreamsPart : 0, queue_.cost());
  return missing;
}

// kWritable comes once the queue costs no more than `level`, for all who asked, and than half
// the buffer, so that a writer is woken for more than one message.
void DataSender::want_room(std::size_t level) {
  if (!writable_wanted_) writable_level_ = options_.send_buffer_bytes / 2;
  writable_wanted_ = true;
  writable_level_ = std::min(writable_level_, level);
}

bool DataSender::stream_is_full(StreamId stream) const {
  const SendStream* const state = queue_.find(stream);
  return state != nullptr && state->wants_room;
}

bool DataSender::poll_writable(SendEvent& event) {
  if (!accepting_) return false;
  if (!queue_.roomy_streams().empty()) {
    const std::uint32_t index = queue_.roomy_streams().back();
    queue_.roomy_streams().pop_back();
    event = {SendEvent::Kind::kStreamWritable, queue_.stream_at(index).id};
    return true;
  }
  if (!writable_wanted_) return false;
  if (queue_.cost() > writable_level_ && !queue_.any_part_stuck()) return false;
  writable_wanted_ = false;
  queue_.forget_parts_waiting();
  event = {SendEvent::Kind::kWritable, {}};
  return true;
}

bool SendQueue::is_stuck(const SendStream& stream) const {
  if (current_ != kNone || !is_starved(stream)) return false;
  if (stream.paused && stream.head->sent == 0) return false;
  return begun_ == kNone || streams_[begun_].id == stream.id;
}

void SendQueue::want_room(SendStream& stream, std::size_t level, bool part) {
  stream.room_level = stream.wants_room ? std::min(stream.room_level, level) : level;
  stream.wants_room = true;
  stream.part_waits |= part;
}

void SendQueue::relieve(SendStream& stream, std::size_t cost) {
  stream.cost -= cost;
  cost_ -= cost;
  if (stream.wants_room) look_for_room(stream);
}

void SendQueue::look_for_room(SendStream& stream) {
  if (stream.cost > stream.room_level && !(stream.part_waits && is_starved(stream))) return;
  stream.wants_room = stream.part_waits = false;
  roomy_streams_.push_back(streams_.index_of(stream));
}

void SendQueue::note_part_waits(SendStream& stream) {
  if (std::exchange(stream.in_parts_waiting, true)) return;
  parts_waiting_.push_back(streams_.index_of(stream));
}

bool SendQueue::any_part_stuck() const {
  if (current_ != kNone) return false;
  return std::any_of(parts_waiting_.begin(), parts_waiting_.end(),
                     [this](std::uint32_t index) { return is_stuck(streams_[index]); });
}

void SendQueue::forget_parts_waiting() {
  for (const std::uint32_t index : parts_waiting_) streams_[index].in_parts_waiting = false;
  parts_waiting_.clear();
}

}  // namespace millrace::sctp
