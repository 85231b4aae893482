// SPDX-License-Identifier: Apache-2.0
#include "sctp/tx/fixed_rate.h"

#include <algorithm>

#include "sctp/tx/rate_terms.h"

namespace millrace::sctp {
namespace {

constexpr Duration kLeastRtt = milliseconds(5);  // Turns and SACKs come no more often.
constexpr std::size_t kFloorPackets = 10;

}  // namespace

FixedRate::FixedRate(const CongestionControlOptions& options)
    : rate_(std::clamp<std::uint64_t>(options.fixed_rate, 1, std::uint64_t{1} << 40)),
      mtu_(options.mtu_bytes),
      max_cwnd_(options.max_cwnd_bytes),
      rtt_(kNominalRtt) {}

void FixedRate::on_ack(const AckSample& sample) {
  if (sample.srtt > Duration::zero()) rtt_ = std::max(sample.srtt, kLeastRtt);
}

std::size_t FixedRate::cwnd() const {
  const double needed = 2 * static_cast<double>(rate_) * static_cast<double>(rtt_.count()) / 1e9;
  const double most = static_cast<double>(max_cwnd_);
  return std::max(static_cast<std::size_t>(std::min(needed, most)), kFloorPackets * mtu_);
}

std::size_t FixedRate::send_quantum() const {
  const auto of_millisecond = static_cast<std::size_t>(rate_ / 1000);
  return std::max(std::min(of_millisecond, kMaxSendQuantum), 2 * mtu_);
}

}  // namespace millrace::sctp
