// SPDX-License-Identifier: Apache-2.0
#include "sctp/tx/congestion_control.h"

#include <algorithm>

#include "engine/base/check.h"
#include "sctp/tx/bbr.h"
#include "sctp/tx/cubic.h"
#include "sctp/tx/fixed_rate.h"
#include "sctp/tx/newreno.h"
#include "sctp/tx/tfrc.h"

namespace millrace::sctp {

std::uint64_t CongestionControl::window_rate(std::size_t cwnd, Duration srtt, bool doubling) {
  if (srtt <= Duration::zero()) return kUnpaced;
  const std::uint64_t quarters = doubling ? 8 : 5;
  const auto nanos = static_cast<std::uint64_t>(srtt.count());
  return std::max<std::uint64_t>(std::uint64_t{cwnd} * quarters / 4 * 1'000'000'000 / nanos, 1);
}

std::unique_ptr<CongestionControl> make_congestion_control(
    const CongestionControlOptions& options) {
  switch (options.algorithm) {
    case CongestionAlgorithm::kCubic:
      return std::make_unique<Cubic>(options);
    case CongestionAlgorithm::kNewReno:
      return std::make_unique<NewReno>(options);
    case CongestionAlgorithm::kBbr:
      return std::make_unique<Bbr>(options);
    case CongestionAlgorithm::kTfrc:
      return std::make_unique<Tfrc>(options);
    case CongestionAlgorithm::kFixedRate:
      return std::make_unique<FixedRate>(options);
  }
  CHECK(false);
  return nullptr;
}

}  // namespace millrace::sctp
