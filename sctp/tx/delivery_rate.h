// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "engine/base/time.h"
#include "sctp/tx/congestion_control.h"

namespace millrace::sctp {

// DeliveryRate keeps what was true when each flush left, and from the newest of those that a
// SACK acknowledges it computes how fast the path delivers: draft-ietf-ccwg-bbr §4.1, with a
// flush for a packet, as its "Offload Mechanisms" recommends. It also counts what was ever
// delivered and lost, and tells the controller of each loss. Where the controller asks for no
// samples it does no more than that.
//
// A flush that nothing refers to any more is overwritten: records are a ring that doubles when
// one is missed, up to kMaxRecords; from there flushes close to each other share one.
class DeliveryRate {
 public:
  // Names the record of a transmission, together with the time of sending.
  using Record = std::uint16_t;

  // The newest transmission that a SACK acknowledged.
  struct Anchor {
    Record record = 0;
    Time sent_at{};
  };

  static constexpr std::size_t kFirstRecords = 64;
  static constexpr std::size_t kMaxRecords = 4096;

  // `controller` must outlive this.
  explicit DeliveryRate(CongestionControl& controller);

  bool sampling() const { return sampler_ != nullptr; }
  std::uint64_t delivered() const { return delivered_; }
  std::uint64_t lost() const { return lost_; }

  // The record of what leaves at `now`, where `flight` is under way before it. Only where
  // `sampling`, as are the next two.
  Record open(Time now, std::size_t flight);
  // A packet of the open record has left, and with it `flight` is under way.
  void note_sent(std::size_t flight);
  // There is nothing to send though the window would let it leave.
  void note_app_limited(std::size_t flight);

  // A transmission of `bytes` is taken for lost.
  void note_lost(Time now, std::size_t bytes, const Anchor& sent);

  // A SACK acknowledged `bytes`; `newest` is of what left last among them, if that is known.
  RateSample handle_ack(Time now, std::size_t bytes, const std::optional<Anchor>& newest,
                        Duration min_rtt);

 private:
  static constexpr std::uint64_t kNotLimited = 0;
  static constexpr Duration kFirstSpacing = microseconds(16);
  // A sample over more than this tells of no path.
  static constexpr Duration kMaxSpacing = milliseconds(100);

  // What only sampling needs.
  struct Sampler {
    SentState& slot(std::uint64_t number) { return ring[number & (capacity - 1)]; }

    std::unique_ptr<SentState[]> ring;
    std::uint32_t capacity = 0;
    bool used = false;                    // Something left with the open record.
    bool stale = false;                   // A SACK came since it was opened.
    std::uint64_t opened = 0;             // Records ever opened; the last is the open one.
    Duration spacing = Duration::zero();  // Flushes closer than this share a record.
    Time first_sent_at{};                 // Of the newest transmission that ever arrived.
    Time delivered_at{};
    std::uint64_t app_limited_until = kNotLimited;  // In bytes delivered.
  };

  std::optional<SentState> find(const Anchor& sent);
  void make_room();

  CongestionControl& controller_;
  std::unique_ptr<Sampler> sampler_;
  std::uint64_t delivered_ = 0;
  std::uint64_t lost_ = 0;
};

}  // namespace millrace::sctp
