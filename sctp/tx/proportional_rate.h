// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace millrace::sctp {

// ProportionalRate says how much may leave in fast recovery, RFC 6937: what the reduced window
// is of the old one for each byte that arrives, and no more than arrives where losses have
// brought the flight below the reduced window. Without it a sender that finds thousands of
// losses would resend them as fast as it finds them, into the queue that they overflowed.
// All sizes are bytes.
class ProportionalRate {
 public:
  // Recovery begins, or a loss within it reduced the window again. `flight` was in flight
  // when the SACK came that told of it.
  void begin(std::size_t flight, std::size_t ssthresh) {
    recover_flight_ = std::max<std::size_t>(flight, 1);
    ssthresh_ = ssthresh;
    delivered_ = sent_ = allowance_ = 0;
  }
  // A SACK in recovery acknowledged `delivered` and left `flight`. It is `clean` if it found
  // no loss and the cumulative TSN advanced: then one `mtu` more leaves, as in slow start.
  void handle_ack(std::size_t delivered, std::size_t flight, bool clean, std::size_t mtu) {
    delivered_ += delivered;
    if (flight > ssthresh_) {
      // RFC 6937 §3: the proportional part.
      const std::uint64_t due = (delivered_ * ssthresh_ + recover_flight_ - 1) / recover_flight_;
      allowance_ = due > sent_ ? static_cast<std::size_t>(due - sent_) : 0;
      return;
    }
    // RFC 6937 §3: the reduction bound; PRR-SSRB where all is well, else PRR-CRB.
    std::uint64_t limit = delivered_ > sent_ ? delivered_ - sent_ : 0;
    if (clean) limit = std::max<std::uint64_t>(limit, delivered) + mtu;
    allowance_ = static_cast<std::size_t>(std::min<std::uint64_t>(ssthresh_ - flight, limit));
  }
  void spend(std::size_t bytes) {
    sent_ += bytes;
    allowance_ -= std::min(allowance_, bytes);
  }
  std::size_t allowance() const { return allowance_; }

 private:
  std::size_t recover_flight_ = 1;  // RecoverFS.
  std::size_t ssthresh_ = 0;
  std::uint64_t delivered_ = 0;  // Since `begin`: prr_delivered,
  std::uint64_t sent_ = 0;       // and prr_out.
  std::size_t allowance_ = 0;    // sndcnt.
};

}  // namespace millrace::sctp
