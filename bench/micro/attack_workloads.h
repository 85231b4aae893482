// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>

#include "test/support/siege.h"

// What a hostile peer's packets cost an association, answers included.
namespace millrace::bench {

// Called before and after each packet that counts; what is between two of them does not.
using AroundPacket = std::function<void(bool begins)>;

// besiege plays sieges as the attacker's test does, some with DATA and some with I-DATA, and
// returns how many packets the attacker sent. It is the same each time.
std::uint64_t besiege(const AroundPacket& around);

// Attack is one packet that costs an association as much as one of its kind can, or nearly so.
enum class Attack : std::uint8_t {
  // FORWARD-TSN over as many TSNs as may be open at once, with a thousand fragments and gaps among
  // them, and as many streams as the packet has room to name.
  kForwardTsn,
  kIForwardTsn,
  // RE-CONFIG that resets every stream both ways, all of 300 in use.
  kResetAll,
  // DATA as far ahead as is taken.
  kFarData,
};

// strike does it to `times` associations, each of them new, and returns `times`.
std::uint64_t strike(Attack attack, int times, const AroundPacket& around);

}  // namespace millrace::bench
