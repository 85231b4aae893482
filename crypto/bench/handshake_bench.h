// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

namespace millrace::crypto {

// HandshakeCost is the CPU time of one DTLS 1.2 handshake with BoringSSL alone, in
// microseconds: medians over all measured, and the 10th and 90th percentiles of both sides
// together.
struct HandshakeCost {
  unsigned handshakes = 0;
  double client_us = 0;
  double server_us = 0;
  double both_us = 0;
  double both_p10_us = 0;
  double both_p90_us = 0;
};

// measure_plain_handshakes runs so many handshakes on the calling thread: two `SSL`s over
// memory BIOs, ECDSA P-256 certificates on both sides (made before the clock starts),
// X25519, AES-128-GCM, one datagram limit of 1200 bytes. An `SSL` is made, used and freed
// within the time of its side. Nothing when a handshake fails.
std::optional<HandshakeCost> measure_plain_handshakes(unsigned handshakes);

}  // namespace millrace::crypto
