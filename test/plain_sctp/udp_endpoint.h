// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/address.h"
#include "engine/base/block_pool.h"
#include "engine/base/result.h"
#include "engine/base/rng.h"
#include "sctp/association.h"
#include "test/support/association_pair.h"
#include "test/support/test_mac.h"

namespace millrace::test {

// open_udp binds a socket to `local`; port 0 is one that the kernel chooses. The error is a
// line with the address in it. Whoever takes the socket closes it.
Result<int, std::string> open_udp(const Address& local);

// UdpEndpoint is the mode without DTLS: one association over UDP (RFC 6951), for conformance
// tools, captures and other SCTP stacks. Nothing of it is in the engine or in a program that is
// installed: there every byte of SCTP goes through DTLS.
class UdpEndpoint {
 public:
  // On 127.0.0.1, at a port that the kernel chooses, and from a fixed seed.
  explicit UdpEndpoint(sctp::Options options);
  // Over `socket`, which it owns. Without DTLS the CRC32c is all there is against errors, so
  // RFC 9653 is switched off.
  UdpEndpoint(sctp::Options options, int socket, std::uint64_t seed);
  UdpEndpoint(const UdpEndpoint&) = delete;
  UdpEndpoint& operator=(const UdpEndpoint&) = delete;
  ~UdpEndpoint();

  // As bound.
  Address address() const;
  std::uint16_t port() const { return address().port; }
  // Where packets go until one comes in, whose source then counts (RFC 6951 §5.4).
  void set_remote(const Address& remote) { remote_ = remote; }
  const Address& remote() const { return remote_; }
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
  // If set, sees what leaves, though it be lost then, and what comes in and is not.
  std::function<void(bool outbound, const Address& remote, ByteSpan packet)> on_packet;

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
  int socket_;
  bool v6_;
  Address remote_;
};

}  // namespace millrace::test
