// SPDX-License-Identifier: Apache-2.0
#include "sctp/options.h"

namespace millrace::sctp {
namespace {

std::string text_of(Duration duration) {
  const auto whole = std::chrono::duration_cast<milliseconds>(duration);
  if (whole == duration) return std::to_string(whole.count()) + " ms";
  return std::to_string(std::chrono::duration_cast<microseconds>(duration).count()) + " us";
}

}  // namespace

void apply_profile(Profile profile, Options& options) {
  // Another profile may have been applied before.
  const Options internet;
  const bool latency = profile == Profile::kLatency;
  // Three times what a DTLS handshake over the widest path of one continent takes.
  options.rto_initial = latency ? milliseconds(200) : internet.rto_initial;
  options.rto_min = latency ? milliseconds(5) : internet.rto_min;
  options.rto_max = latency ? seconds(10) : internet.rto_max;
  options.linear_timeouts = latency ? 4 : internet.linear_timeouts;
  options.sack_delay = latency ? Duration::zero() : internet.sack_delay;
  options.always_ask_for_sack = latency;
  // Time-outs are short and the first are alike: as many as 14 span some 30 s at an RTO of 30 ms,
  // as 10 do with the defaults.
  options.max_retransmits = latency ? 14 : internet.max_retransmits;
  options.t1_max = latency ? seconds(1) : internet.t1_max;
  options.heartbeat_interval = latency ? seconds(5) : internet.heartbeat_interval;
}

std::string problem_of(const Options& options) {
  if (options.rto_min < Options::kLeastRtoMin || options.rto_min > Options::kMostRtoMin) {
    return "rto_min: " + text_of(options.rto_min) + " is not in 1 to 1000";
  }
  if (options.rto_max < options.rto_min) {
    return "rto_max: " + text_of(options.rto_max) + " is below rto_min, " +
           text_of(options.rto_min);
  }
  if (options.rto_initial < options.rto_min || options.rto_initial > options.rto_max) {
    return "rto_initial: " + text_of(options.rto_initial) + " is not in rto_min to rto_max";
  }
  // RFC 9260 §6.2 allows 500 ms; senders expect no more than 200.
  if (options.sack_delay < Duration::zero() || options.sack_delay > Options::kMostSackDelay) {
    return "sack_delay: " + text_of(options.sack_delay) + " is not in 0 to 200";
  }
  if (options.linear_timeouts < 0 || options.linear_timeouts > options.max_retransmits) {
    return "linear_timeouts: " + std::to_string(options.linear_timeouts) +
           " is not in 0 to max_retransmits";
  }
  return {};
}

}  // namespace millrace::sctp
