// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "engine/base/block_pool.h"
#include "engine/base/rng.h"
#include "sctp/association.h"
#include "test/support/association_pair.h"
#include "test/support/attacker.h"
#include "test/support/test_mac.h"

namespace millrace::test {

// Siege is one association, in use by an application, whose peer is an attacker: it has set the
// association up as any peer would and sends what it likes from then on. Whatever comes, the
// association must answer in bounded time and memory and get on; what breaks that ends the
// process by a CHECK. A run is a function of what it is told to do and of its seed.
class Siege {
 public:
  // `i_data`: whether both ends have I-DATA. `window` is the association's receive window.
  Siege(bool i_data, std::uint64_t seed, std::size_t window = kWindow);
  ~Siege();
  Siege(const Siege&) = delete;
  Siege& operator=(const Siege&) = delete;

  // Puts a header before the chunks, under the association's tag or, where INIT is first, under
  // none; `stray` makes the tag a wrong one.
  void give(ByteSpan chunks, bool stray = false);
  void advance(Duration time);
  void send(std::uint16_t stream, std::size_t bytes, const sctp::SendOptions& options);
  void reset(std::uint16_t stream);
  void shut_down();
  // Whether the application takes its events.
  void set_reading(bool reading) { reading_ = reading; }

  Knowledge& knowledge() { return known_; }
  sctp::Association& association() { return *association_; }
  const sctp::Association& association() const { return *association_; }
  // Called around each packet's handling, its answers included.
  std::function<void(bool begins)> around_packet;

  // The least that an attacker's packets are limited to, whatever they say.
  static sctp::Options options(bool i_data);
  static constexpr std::size_t kWindow = 256 * 1024;
  static constexpr std::size_t kSendBuffer = 256 * 1024;

 private:
  void set_up();
  void drain();
  void check_memory();
  void learn(ByteSpan packet);
  void learn_chunk(const sctp::ChunkView& chunk);

  TestMac mac_;
  BlockPool pool_;
  HeapBuffers buffers_;
  SeededRng rng_;
  Knowledge known_;
  std::size_t window_;
  Time now_{seconds(1000)};
  sctp::VerificationTag tag_;
  bool reading_ = true;
  std::size_t sent_bytes_ = 0;  // Accepted by the association for sending.
  std::optional<sctp::Association> association_;
};

// Does one step of a siege, drawn from `rng`: mostly a packet of the attacker's, now and then what
// the application or time does.
void take_step(Siege& siege, Attacker& attacker, Rng& rng);

}  // namespace millrace::test
