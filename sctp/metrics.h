// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "engine/base/time.h"
#include "sctp/types.h"

namespace millrace::sctp {

// Metrics is the state of an association at one moment, for statistics and traces; what it
// has counted is in Stats. Sizes are bytes.
struct Metrics {
  std::string_view state;        // "established": RFC 9260 §4 in lower case. Static.
  std::optional<Duration> srtt;  // Nothing before the first sample.
  Duration rttvar{};
  Duration rto{};
  std::size_t cwnd = 0;
  std::size_t ssthresh = 0;
  std::size_t flight = 0;
  std::size_t peer_rwnd = 0;  // As the peer advertised last.
  std::size_t a_rwnd = 0;     // What this end would advertise.
  std::size_t mtu = 0;        // The largest SCTP packet sent, common header included.
  std::size_t buffered = 0;   // Taken by `send`, and not yet sent once.
  // DATA chunks above the peer's cumulative acknowledgement (RFC 6458 §8.2.1, sstat_unackdata).
  std::size_t unacknowledged = 0;
  std::uint16_t outgoing_streams = 0;
  std::uint16_t incoming_streams = 0;
  Tsn next_tsn;
  Tsn cumulative_acked;           // By the peer.
  std::optional<Tsn> cumulative;  // Of the peer's TSNs; nothing before its INIT.
  int error_count = 0;            // RFC 9260 §8.1.
};

}  // namespace millrace::sctp
