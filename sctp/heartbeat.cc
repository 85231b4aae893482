// SPDX-License-Identifier: Apache-2.0
#include "sctp/heartbeat.h"

namespace millrace::sctp {

void Heartbeat::restart(Time now, Duration rto) {
  if (interval_ <= Duration::zero()) return;
  // RFC 9260 §8.3: HB.interval plus one RTO, jittered by half an RTO either way.
  const auto jitter = static_cast<Duration::rep>(
      rng_.below(static_cast<std::uint64_t>(std::max<Duration::rep>(rto.count(), 1))));
  idle_until_ = now + interval_ + rto / 2 + Duration(jitter);
}

void Heartbeat::stop() {
  idle_until_ = answer_until_ = kNever;
  outstanding_.reset();
}

Heartbeat::Due Heartbeat::handle_timeout(Time now, Duration rto) {
  if (now >= answer_until_) {
    answer_until_ = kNever;
    outstanding_.reset();
    return Due::kLost;
  }
  if (now >= idle_until_) {
    restart(now, rto);
    // The interval is shorter than the round trip: the outstanding one has its time.
    return outstanding_ ? Due::kNothing : Due::kSend;
  }
  return Due::kNothing;
}

Heartbeat::Info Heartbeat::make(Time now, Duration rto) {
  Info info{};
  store_be64(info.data(), rng_.next());
  outstanding_ = info;
  sent_ = now;
  answer_until_ = now + rto;
  return info;
}

std::optional<Duration> Heartbeat::handle_ack(Time now, ByteSpan info) {
  if (!outstanding_ || !std::ranges::equal(info, *outstanding_)) return std::nullopt;
  outstanding_.reset();
  answer_until_ = kNever;
  return now - sent_;
}

}  // namespace millrace::sctp
