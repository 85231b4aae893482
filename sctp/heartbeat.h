// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>

#include "engine/base/bytes.h"
#include "engine/base/rng.h"
#include "engine/base/time.h"

namespace millrace::sctp {

// Heartbeat decides when an idle path is probed and whether the probe was answered, RFC
// 9260 §8.3. One HEARTBEAT is outstanding at a time; the association sends it and
// counts those that were lost.
class Heartbeat {
 public:
  // The Heartbeat Information: a nonce, for what comes back is believed only if it
  // cannot have been guessed. The time of sending stays here.
  static constexpr std::size_t kInfoSize = 8;
  using Info = std::array<std::uint8_t, kInfoSize>;

  enum class Due : std::uint8_t {
    kNothing,
    kSend,  // Call `make`, send what it returns.
    kLost,  // The last one was not answered in time: back the RTO off; the next follows later.
  };

  // An interval of zero is off. `rng` must outlive this.
  Heartbeat(Duration interval, Rng& rng) : interval_(interval), rng_(rng) {}

  // Restarts the idle period: at establishment, and whenever the peer has acknowledged
  // anything.
  void restart(Time now, Duration rto);
  void stop();

  Time next_timeout() const { return std::min(idle_until_, answer_until_); }
  // Says what `now` calls for; to be called until kNothing.
  Due handle_timeout(Time now, Duration rto);
  Info make(Time now, Duration rto);
  // Returns the round-trip time if `info` is the outstanding HEARTBEAT's.
  std::optional<Duration> handle_ack(Time now, ByteSpan info);

 private:
  const Duration interval_;
  Rng& rng_;
  Time idle_until_ = kNever;
  Time answer_until_ = kNever;
  Time sent_;
  std::optional<Info> outstanding_;
};

}  // namespace millrace::sctp
