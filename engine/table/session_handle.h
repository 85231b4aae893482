// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "engine/base/check.h"

namespace millrace::engine {

enum class SessionState : std::uint8_t {
  kNone = 0,     // No session, or one that has ended.
  kPending = 1,  // Made by signalling, owned by no shard.
  kClaimed = 2,  // Owned by `shard()`, in that shard's place `slot()`.
};

// SessionHandle is where a session lives, in one word that is read and replaced whole. The
// generation tells apart the sessions that use a table entry one after the other.
class SessionHandle {
 public:
  static constexpr std::uint32_t kShardBits = 8;
  static constexpr std::uint32_t kSlotBits = 24;
  static constexpr std::uint32_t kGenerationBits = 30;
  static constexpr std::uint32_t kMaxShards = 1u << kShardBits;
  static constexpr std::uint32_t kMaxSlots = 1u << kSlotBits;
  static constexpr std::uint32_t kGenerationMask = (1u << kGenerationBits) - 1;

  constexpr SessionHandle() = default;
  static constexpr SessionHandle from_bits(std::uint64_t bits) { return SessionHandle(bits); }
  static constexpr SessionHandle none(std::uint32_t generation) {
    return SessionHandle(generation & kGenerationMask);
  }
  static constexpr SessionHandle pending(std::uint32_t generation) {
    return make(SessionState::kPending, 0, 0, generation);
  }
  static constexpr SessionHandle claimed(std::uint32_t shard, std::uint32_t slot,
                                         std::uint32_t generation) {
    return make(SessionState::kClaimed, shard, slot, generation);
  }

  constexpr SessionState state() const { return static_cast<SessionState>(bits_ >> 62); }
  constexpr bool is_pending() const { return state() == SessionState::kPending; }
  constexpr bool is_claimed() const { return state() == SessionState::kClaimed; }
  // Meaningful for a claimed session only.
  constexpr std::uint32_t shard() const {
    return static_cast<std::uint32_t>(bits_ >> 54) & (kMaxShards - 1);
  }
  constexpr std::uint32_t slot() const {
    return static_cast<std::uint32_t>(bits_ >> 30) & (kMaxSlots - 1);
  }
  constexpr std::uint32_t generation() const {
    return static_cast<std::uint32_t>(bits_) & kGenerationMask;
  }
  constexpr std::uint64_t bits() const { return bits_; }
  // Whether there is a session.
  explicit constexpr operator bool() const { return state() != SessionState::kNone; }

  friend constexpr bool operator==(SessionHandle, SessionHandle) = default;

 private:
  explicit constexpr SessionHandle(std::uint64_t bits) : bits_(bits) {}
  static constexpr SessionHandle make(SessionState state, std::uint32_t shard, std::uint32_t slot,
                                      std::uint32_t generation) {
    return SessionHandle(std::uint64_t{static_cast<std::uint8_t>(state)} << 62 |
                         std::uint64_t{shard & (kMaxShards - 1)} << 54 |
                         std::uint64_t{slot & (kMaxSlots - 1)} << 30 |
                         (generation & kGenerationMask));
  }

  std::uint64_t bits_ = 0;
};

// EntryRef names a session's entry in the table. It may be kept and passed between threads
// at will: once the session has ended, every use of it is answered as gone.
struct EntryRef {
  std::uint32_t index = UINT32_MAX;
  std::uint32_t generation = 0;

  friend constexpr bool operator==(const EntryRef&, const EntryRef&) = default;
};

// Found is the answer of a look-up: empty when nobody has the key.
struct Found {
  SessionHandle handle;
  EntryRef entry;

  explicit constexpr operator bool() const { return static_cast<bool>(handle); }
  friend constexpr bool operator==(const Found&, const Found&) = default;
};

}  // namespace millrace::engine
