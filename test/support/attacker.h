// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "engine/base/bytes.h"
#include "engine/base/rng.h"

namespace millrace::test {

// What an attacker inside an association knows of it: it is the peer, so it may know all that
// a peer does. Serial numbers are bare, for it computes with them as no honest peer would.
struct Knowledge {
  bool i_data = false;             // Negotiated.
  std::uint32_t next_tsn = 1000;   // Its own next TSN.
  std::uint32_t victim_acked = 0;  // Highest TSN of the victim's that it has acknowledged.
  std::uint32_t victim_next = 0;   // One beyond the highest that it has seen.
  std::uint32_t next_request = 0;  // Its own next re-configuration request.
  std::uint32_t victim_request = 0;
  std::vector<std::uint8_t> cookie;     // The victim's, good or once good.
  std::vector<std::uint8_t> heartbeat;  // The information in the victim's last HEARTBEAT.
};

// Attacker makes the chunks of one packet after another: each kind of chunk, each field
// plausible, extreme or random, in bundles and alone, whole, cut off, or with lengths that lie.
// A patient one says nothing for long that would have the association abort at once, and so comes
// to states that a rash one never sees. A run is a function of `rng`.
class Attacker {
 public:
  Attacker(Rng& rng, bool patient) : rng_(rng), patient_(patient) {}

  // Chunks for one packet of at most `kMaxBytes`; `known` moves on with what they say.
  std::vector<std::uint8_t> chunks(Knowledge& known);
  // Changes a few bytes, lengths above all, or cuts the end off.
  void damage(std::vector<std::uint8_t>& chunks);

  static constexpr std::size_t kMaxBytes = 1148;

 private:
  using Out = std::vector<std::uint8_t>;

  void append_chunk(Knowledge& known, Out& out);
  void append_rare_chunk(Knowledge& known, Out& out);
  void append_data(Knowledge& known, Out& out);
  void append_message(Knowledge& known, Out& out);
  void append_sack(Knowledge& known, Out& out);
  void append_forward_tsn(Knowledge& known, Out& out, bool interleaved);
  void append_reconfig(Knowledge& known, Out& out);
  void append_reconfig_parameter(Knowledge& known, Out& out);
  void append_error(Out& out, std::uint8_t type);
  void append_init(const Knowledge& known, Out& out, std::uint8_t type);
  void append_heartbeat(const Knowledge& known, Out& out);

  // Once in many times for a patient one: what ends an association.
  bool dares() { return !patient_ || one_in(200); }
  // A TSN near `base`, or anywhere.
  std::uint32_t tsn_near(std::uint32_t base);
  std::uint16_t stream();
  std::uint32_t below(std::uint32_t bound) { return static_cast<std::uint32_t>(rng_.below(bound)); }
  bool one_in(std::uint32_t n) { return below(n) == 0; }
  void append_random(Out& out, std::size_t bytes);

  Rng& rng_;
  bool patient_;
};

}  // namespace millrace::test
