// SPDX-License-Identifier: Apache-2.0
#include "sctp/tx/stream_scheduler.h"

#include <algorithm>

namespace millrace::sctp {
namespace {

// What a byte takes of virtual time, times the weight. At the least weight the 64 bits last
// for four petabytes.
constexpr std::uint32_t kUnit = 1u << 16;
constexpr std::uint32_t kLeastWeight = 16;

}  // namespace

StreamScheduler::Stream& StreamScheduler::at(std::uint32_t stream) {
  if (stream >= streams_.size()) streams_.resize(stream + 1);
  return streams_[stream];
}

void StreamScheduler::set_priority(std::uint32_t stream, std::uint16_t priority) {
  Stream& changed = at(stream);
  changed.priority = priority;
  changed.per_byte = kUnit / std::max<std::uint32_t>(priority, kLeastWeight);
}

StreamScheduler::Ready StreamScheduler::key_of(std::uint32_t stream, std::uint32_t turn) const {
  const Stream& of = streams_[stream];
  switch (rule_) {
    case StreamScheduling::kFirstComeFirstServed:
      return {0, of.arrival, stream};
    case StreamScheduling::kRoundRobin:
      break;
    case StreamScheduling::kWeightedFair:
      return {of.start, turn, stream};
    case StreamScheduling::kStrictPriority:
      return {std::uint64_t{0xFFFFu} - of.priority, turn, stream};
  }
  return {0, turn, stream};
}

void StreamScheduler::add(std::uint32_t stream, std::uint32_t arrival) {
  Stream& added = at(stream);
  DCHECK(added.place == kNone);
  const std::uint64_t now = ready_.empty() ? idle_since_ : streams_[first()].start;
  added.start = std::max(added.start, now);
  added.arrival = arrival;
  if (ready_.empty()) {
    added.place = 0;
    return ready_.push_back({.key = 0, .order = 0, .stream = stream});
  }
  if (ready_.size() == 1) put(0, key_of(first(), turns_++));
  ready_.push_back({});
  fill(ready_.size() - 1, key_of(stream, turns_++));
}

void StreamScheduler::remove(std::uint32_t stream) {
  const std::size_t hole = streams_[stream].place;
  DCHECK(hole < ready_.size() && ready_[hole].stream == stream);
  streams_[stream].place = kNone;
  const Ready last = ready_.back();
  ready_.pop_back();
  if (hole < ready_.size()) fill(hole, last);
  if (ready_.empty()) idle_since_ = std::max(idle_since_, streams_[stream].start);
}

void StreamScheduler::set_arrival(std::uint32_t stream, std::uint32_t arrival) {
  Stream& changed = streams_[stream];
  changed.arrival = arrival;
  if (rule_ == StreamScheduling::kFirstComeFirstServed) {
    fill(changed.place, key_of(stream, turns_));
  }
}

void StreamScheduler::end_turn_among_others(std::uint32_t stream) {
  DCHECK(is_ready(stream));
  fill(streams_[stream].place, key_of(stream, turns_++));
}

void StreamScheduler::fill(std::size_t hole, Ready ready) {
  while (hole > 0 && ready.before(ready_[(hole - 1) / 2])) {
    put(hole, ready_[(hole - 1) / 2]);
    hole = (hole - 1) / 2;
  }
  for (;;) {
    std::size_t child = 2 * hole + 1;
    if (child >= ready_.size()) break;
    if (child + 1 < ready_.size() && ready_[child + 1].before(ready_[child])) ++child;
    if (!ready_[child].before(ready)) break;
    put(hole, ready_[child]);
    hole = child;
  }
  put(hole, ready);
}

}  // namespace millrace::sctp
