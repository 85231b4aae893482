// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "engine/base/bytes.h"
#include "engine/base/mac.h"
#include "engine/base/time.h"
#include "sctp/options.h"
#include "sctp/types.h"

namespace millrace::sctp {

// StateCookie is all that the end which answers INIT would have to remember (RFC 9260
// §5.1.3). It remembers nothing: the cookie travels to the peer in INIT-ACK and comes
// back in COOKIE-ECHO, under an HMAC-SHA-256 that only this end can make.
struct StateCookie {
  using Key = std::array<std::uint8_t, 32>;
  static constexpr std::size_t kBodySize = 52;
  static constexpr std::size_t kSize = kBodySize + sizeof(Sha256Digest);
  using Sealed = std::array<std::uint8_t, kSize>;

  Time created;
  Duration lifetime{};
  VerificationTag local_tag;  // The Initiate Tag of the INIT-ACK.
  VerificationTag peer_tag;   // The Initiate Tag of the INIT.
  Tsn local_initial_tsn;
  Tsn peer_initial_tsn;
  std::uint32_t peer_a_rwnd = 0;
  std::uint16_t outgoing_streams = 0;  // As negotiated.
  std::uint16_t incoming_streams = 0;
  // RFC 9260 §5.2.2: the tags of the association that existed when the INIT came, or 0.
  VerificationTag local_tie_tag;
  VerificationTag peer_tie_tag;
  Extensions extensions;  // Those that both ends offered.

  Sealed seal(const Key& key, const Mac& mac) const;
  // Returns nothing for bytes that this key did not seal. Age is the caller's affair.
  static std::optional<StateCookie> open(ByteSpan bytes, const Key& key, const Mac& mac);

  bool is_stale(Time now) const { return now - created > lifetime; }
};

}  // namespace millrace::sctp
