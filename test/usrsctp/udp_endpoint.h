// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/block_pool.h"
#include "engine/base/rng.h"
#include "sctp/association.h"
#include "test/support/association_pair.h"
#include "test/support/test_mac.h"

namespace millrace::test {

// UdpEndpoint is the mode without DTLS: one association over UDP on loopback (RFC 6951), for
// conformance tools, captures and other SCTP stacks. Nothing of it is in the engine or in a
// program that is installed: there every byte of SCTP goes through DTLS.
class UdpEndpoint {
 public:
  // Binds 127.0.0.1 at `port`, or at one that the kernel chooses. Without DTLS the CRC32c is
  // all there is against errors, so RFC 9653 is switched off.
  explicit UdpEndpoint(sctp::Options options, std::uint16_t port = 0, std::uint64_t seed = 1);
  UdpEndpoint(const UdpEndpoint&) = delete;
  UdpEndpoint& operator=(const UdpEndpoint&) = delete;
  ~UdpEndpoint();

  std::uint16_t port() const;
  // Where packets go until one comes in, whose source then counts (RFC 6951 §5.4).
  void set_remote(std::uint16_t port);
  // Shares of packets that are lost on their way in and out.
  double loss = 0;
  // Lost on their way in so far, of those that are too large to be without DATA.
  int data_packets_lost = 0;

  sctp::Association& association() { return *association_; }
  // A new association in place of the old one, which is forgotten without a word.
  void begin_anew();
  Time now() const;

  // Turns until `done`; false when `limit` has passed.
  bool run_until(const std::function<bool()>& done, Duration limit = seconds(30));
  // Packets out, then events, as after any call into the association.
  void flush();

  // What came, oldest first.
  std::vector<RecordedEvent> events;
  std::size_t count(sctp::EventKind kind) const;
  const RecordedEvent* last(sctp::EventKind kind) const;
  // If set, sees messages instead of `events`.
  std::function<void(const sctp::Event& event)> on_message;

 private:
  void receive_burst();
  void take_events();
  void send_packets();
  bool is_lost() { return static_cast<double>(rng_.next() >> 11) * 0x1p-53 < loss; }

  sctp::Options options_;
  TestMac mac_;
  BlockPool pool_;
  SeededRng rng_;
  HeapBuffers buffers_;
  std::optional<sctp::Association> association_;
  int socket_ = -1;
  std::uint16_t remote_ = 0;
};

}  // namespace millrace::test
