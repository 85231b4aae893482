// SPDX-License-Identifier: Apache-2.0
#include "sctp/rx/receive_window.h"

#include <algorithm>

namespace millrace::sctp {
namespace {

constexpr std::size_t kStep = std::size_t{64} << 10;

}  // namespace

ReceiveWindow::~ReceiveWindow() {
  if (budget_ != nullptr) budget_->give_back(bytes_ - first_);
}

bool ReceiveWindow::end_round(Time now, std::uint64_t read, std::optional<Duration> round_trip) {
  const Duration round = std::max(round_trip.value_or(kUnknownRoundTrip), kMinRoundTrip);
  const Duration took = now - round_began_;
  const bool measured = round_ends_ != Time();
  const std::uint64_t bytes = read > read_at_begin_ ? read - read_at_begin_ : 0;
  round_began_ = now;
  round_ends_ = now + round;
  read_at_begin_ = read;
  if (!measured) return false;
  // Per round trip, for the round was longer where bursts are far apart.
  const auto per_round =
      static_cast<std::uint64_t>(static_cast<double>(bytes) * static_cast<double>(round.count()) /
                                 static_cast<double>(std::max(took, round).count()));
  const bool starting = per_round >= last_ + last_ / 2;
  last_ = per_round;
  peak_ = std::max(peak_, per_round);
  const std::uint64_t wanted = per_round * (starting ? kHeadroomOfStart : kHeadroom);
  if (wanted <= bytes_) return false;
  const std::size_t target =
      std::min<std::uint64_t>((wanted + kStep - 1) / kStep * kStep, std::max(max_, bytes_));
  const std::size_t more = target - std::min(target, bytes_);
  const std::size_t granted = budget_ == nullptr ? more : budget_->take(more);
  bytes_ += granted;
  return granted > 0;
}

void ReceiveWindow::shrink(std::size_t held) {
  const std::size_t needed = std::max({first_, std::size_t{kHeadroom * peak_}, 2 * held});
  peak_ = 0;
  const std::size_t smaller = std::max(bytes_ / 2, needed);
  if (smaller >= bytes_) return;
  if (budget_ != nullptr) budget_->give_back(bytes_ - smaller);
  bytes_ = smaller;
}

}  // namespace millrace::sctp
