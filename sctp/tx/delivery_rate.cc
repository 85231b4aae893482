// SPDX-License-Identifier: Apache-2.0
#include "sctp/tx/delivery_rate.h"

#include <algorithm>

namespace millrace::sctp {

DeliveryRate::DeliveryRate(CongestionControl& controller) : controller_(controller) {
  if (controller.needs_rate_samples()) sampler_ = std::make_unique<Sampler>();
}

DeliveryRate::Record DeliveryRate::open(Time now, std::size_t flight) {
  Sampler& s = *sampler_;
  // draft-ietf-ccwg-bbr §4.1.2.2: a flight begins here.
  if (flight == 0) s.first_sent_at = s.delivered_at = now;
  if (s.opened > 0 && s.used && flight > 0) {
    const Duration age = now - s.slot(s.opened - 1).sent_at;
    if (age < s.spacing || (age == Duration::zero() && !s.stale)) {
      return static_cast<Record>(s.opened - 1);
    }
  }
  if (s.capacity == 0) make_room();
  // A record that nothing left with is opened again.
  if (s.used || s.opened == 0) ++s.opened;
  s.used = false;
  s.stale = false;
  s.slot(s.opened - 1) = {.sent_at = now,
                          .first_sent_at = s.first_sent_at,
                          .delivered_at = s.delivered_at,
                          .delivered = delivered_,
                          .lost = lost_,
                          .in_flight = flight,
                          .app_limited = s.app_limited_until != kNotLimited};
  return static_cast<Record>(s.opened - 1);
}

void DeliveryRate::note_sent(std::size_t flight) {
  Sampler& s = *sampler_;
  s.used = true;
  s.slot(s.opened - 1).in_flight = flight;
}

void DeliveryRate::note_app_limited(std::size_t flight) {
  // draft-ietf-ccwg-bbr §4.1.2.4.
  sampler_->app_limited_until = std::max<std::uint64_t>(delivered_ + flight, 1);
}

std::optional<SentState> DeliveryRate::find(const Anchor& sent) {
  Sampler& s = *sampler_;
  if (s.opened == 0) return std::nullopt;
  const auto behind = static_cast<Record>(static_cast<Record>(s.opened - 1) - sent.record);
  if (behind < std::min<std::uint64_t>(s.capacity, s.opened)) {
    const SentState& state = s.slot(s.opened - 1 - behind);
    // Record numbers wrap. One that flushes share is as old as its first.
    const Duration younger = sent.sent_at - state.sent_at;
    if (younger >= Duration::zero() && younger <= s.spacing) return state;
  }
  make_room();
  return std::nullopt;
}

void DeliveryRate::make_room() {
  Sampler& s = *sampler_;
  if (s.capacity >= kMaxRecords) {
    s.spacing = std::min(std::max(2 * s.spacing, kFirstSpacing), kMaxSpacing);
    return;
  }
  const std::uint32_t capacity = std::max<std::uint32_t>(kFirstRecords, 2 * s.capacity);
  auto ring = std::make_unique<SentState[]>(capacity);
  const std::uint64_t kept = std::min<std::uint64_t>(s.capacity, s.opened);
  for (std::uint64_t number = s.opened - kept; number < s.opened; ++number) {
    ring[number & (capacity - 1)] = s.slot(number);
  }
  s.ring = std::move(ring);
  s.capacity = capacity;
}

void DeliveryRate::note_lost(Time now, std::size_t bytes, const Anchor& sent) {
  std::optional<SentState> state;
  if (sampling()) state = find(sent);
  // Of one whose record is gone the least is said: that nothing was lost since.
  if (!state) state = SentState{.sent_at = sent.sent_at, .lost = lost_};
  lost_ += bytes;
  controller_.on_lost(now, bytes, *state);
}

RateSample DeliveryRate::handle_ack(Time now, std::size_t bytes,
                                    const std::optional<Anchor>& newest, Duration min_rtt) {
  delivered_ += bytes;
  if (!sampling() || bytes == 0) return {};
  Sampler& s = *sampler_;
  s.stale = true;
  s.delivered_at = now;
  // draft-ietf-ccwg-bbr §4.1.2.3: the bubble has left the path.
  if (delivered_ > s.app_limited_until) s.app_limited_until = kNotLimited;
  if (!newest) return {};
  // Of the newest that ever arrived.
  s.first_sent_at = std::max(s.first_sent_at, newest->sent_at);
  const std::optional<SentState> sent = find(*newest);
  if (!sent) return {};
  const Duration send_elapsed = sent->sent_at - sent->first_sent_at;
  const Duration ack_elapsed = now - sent->delivered_at;
  const Duration interval = std::max(send_elapsed, ack_elapsed);
  // A retransmission's sample may rest on the arrival of what left before it: shorter than
  // any round trip it cannot be.
  return {.valid = interval > Duration::zero() && interval >= min_rtt,
          .app_limited = sent->app_limited,
          .prior_delivered = sent->delivered,
          .delivered = delivered_ - sent->delivered,
          .lost = lost_ - sent->lost,
          .tx_in_flight = sent->in_flight,
          .interval = interval};
}

}  // namespace millrace::sctp
