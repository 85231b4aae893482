// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>

#include "engine/base/bytes.h"

namespace millrace {

using Sha1Digest = std::array<std::uint8_t, 20>;
using Sha256Digest = std::array<std::uint8_t, 32>;

// Mac lends keyed hashes to the cores that need them (STUN MESSAGE-INTEGRITY, the SCTP
// state cookie) without their knowing the crypto library. crypto/mac.h implements it.
class Mac {
 public:
  virtual ~Mac() = default;
  // The message is the concatenation of `a` and `b`; either may be empty.
  virtual Sha1Digest hmac_sha1(ByteSpan key, ByteSpan a, ByteSpan b) const = 0;
  virtual Sha256Digest hmac_sha256(ByteSpan key, ByteSpan a, ByteSpan b) const = 0;
};

// equal_in_constant_time compares secrets; its time depends on the length alone.
bool equal_in_constant_time(ByteSpan a, ByteSpan b);

}  // namespace millrace
