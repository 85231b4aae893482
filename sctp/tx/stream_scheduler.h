// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/base/check.h"
#include "sctp/stream_scheduling.h"

namespace millrace::sctp {

// StreamScheduler decides which stream is next among those that are ready (RFC 8260 §3). Each
// ready stream has a key, the least is first, and the rules differ in the key alone:
//
//   first-come     one for all
//   round robin    one for all
//   weighted fair  its virtual start time: the bytes that it has sent over its weight, and
//                  at least that of the others when it became ready, so that who was idle
//                  comes soon and has saved up nothing (start-time fair queueing)
//   priority       the priority
//
// Among equal keys it is first come, first served, of messages in the one case and of turns
// in the others. So equal weights share the bytes, and equal messages take turns.
//
// Streams are named by small dense indices; memory grows with the highest. A turn costs the
// logarithm of the number of ready streams, and next to nothing with one.
class StreamScheduler {
 public:
  static constexpr std::uint32_t kNone = 0xFFFFFFFF;
  static constexpr std::uint16_t kNormalPriority = 256;  // RFC 8831 §6.4

  explicit StreamScheduler(StreamScheduling rule) : rule_(rule) {}

  // From the stream's next turn on. RFC 8831 §6.4: a weight, twice for the next of its levels.
  void set_priority(std::uint32_t stream, std::uint16_t priority);

  // The stream is not ready yet. `arrival` numbers its first message, on a circle.
  void add(std::uint32_t stream, std::uint32_t arrival);
  // The stream is ready.
  void remove(std::uint32_t stream);
  // Its first message is another, without a turn.
  void set_arrival(std::uint32_t stream, std::uint32_t arrival);
  bool is_ready(std::uint32_t stream) const {
    return stream < streams_.size() && streams_[stream].place != kNone;
  }
  // The stream whose turn it is; kNone if none is ready.
  std::uint32_t first() const { return ready_.empty() ? kNone : ready_[0].stream; }

  // No other than `first` is ready.
  bool is_alone() const { return ready_.size() == 1; }

  // Counts `bytes` that the stream has sent.
  void charge(std::uint32_t stream, std::size_t bytes) {
    streams_[stream].start += bytes * streams_[stream].per_byte;
  }
  // Its turn has ended, and what it took is charged; `arrival` as for `add`.
  void end_turn(std::uint32_t stream, std::uint32_t arrival) {
    streams_[stream].arrival = arrival;
    if (ready_.size() > 1) end_turn_among_others(stream);
  }

 private:
  struct Ready {
    std::uint64_t key;
    std::uint32_t order;  // Among equal keys; on a circle.
    std::uint32_t stream;

    bool before(const Ready& other) const {
      if (key != other.key) return key < other.key;
      return static_cast<std::int32_t>(order - other.order) < 0;
    }
  };
  struct Stream {
    std::uint64_t start = 0;       // In virtual time.
    std::uint32_t place = kNone;   // In `ready_`.
    std::uint32_t per_byte = 256;  // Virtual time that a byte takes.
    std::uint32_t arrival = 0;
    std::uint16_t priority = kNormalPriority;
  };

  Stream& at(std::uint32_t stream);
  Ready key_of(std::uint32_t stream, std::uint32_t turn) const;
  void end_turn_among_others(std::uint32_t stream);
  // Puts `ready` where the heap has a hole.
  void fill(std::size_t hole, Ready ready);
  void put(std::size_t place, Ready ready) {
    ready_[place] = ready;
    streams_[ready.stream].place = static_cast<std::uint32_t>(place);
  }

  std::vector<Ready> ready_;  // A binary heap. One alone need not have its key.
  std::vector<Stream> streams_;
  std::uint64_t idle_since_ = 0;  // In virtual time, where none is ready.
  std::uint32_t turns_ = 0;
  StreamScheduling rule_;
};

}  // namespace millrace::sctp
