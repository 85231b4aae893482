// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/base/bytes.h"
#include "sctp/packet/packet_writer.h"
#include "sctp/types.h"

namespace millrace::sctp {

// ControlQueue holds control chunks, complete with header and padding, from when a
// procedure answers to when a packet has room. It is bounded: a peer that asks faster
// than this end may answer loses answers, which every procedure of SCTP survives.
class ControlQueue {
 public:
  static constexpr std::size_t kMaxChunks = 16;
  static constexpr std::size_t kMaxBytes = 4096;
  // Memory that an empty queue keeps: enough for what an established association answers,
  // little enough for ten thousand idle ones.
  static constexpr std::size_t kKeptBytes = 128;

  // RawChunk is a chunk already written; a ChunkBuilder for PacketWriter.
  struct RawChunk {
    ByteSpan bytes;
    std::size_t size() const { return bytes.size(); }
    void write(MutableByteSpan out) const;
  };
  struct Chunk {
    RawChunk raw;
    // Set where the chunk needs a packet of its own under `tag`: INIT-ACK, ABORT and
    // answers to packets out of the blue. Others go under the association's tag.
    bool alone = false;
    VerificationTag tag;
  };

  // Return whether there was room.
  template <ChunkBuilder C>
  bool push(const C& chunk) {
    return add(chunk, false, VerificationTag());
  }
  template <ChunkBuilder C>
  bool push_alone(VerificationTag tag, const C& chunk) {
    return add(chunk, true, tag);
  }

  bool empty() const { return count_ == 0; }
  // What it holds on the heap.
  std::size_t memory() const { return bytes_.capacity(); }
  // The oldest chunk; valid until the next call that is not const.
  Chunk front() const;
  void pop();
  void clear();

 private:
  struct Slot {
    std::uint16_t size = 0;
    bool alone = false;
    VerificationTag tag;
  };
  template <ChunkBuilder C>
  bool add(const C& chunk, bool alone, VerificationTag tag) {
    const MutableByteSpan at = reserve(chunk.size(), alone, tag);
    if (at.empty()) return false;
    chunk.write(at);
    return true;
  }
  MutableByteSpan reserve(std::size_t bytes, bool alone, VerificationTag tag);

  std::array<Slot, kMaxChunks> slots_{};
  std::size_t first_ = 0;  // Index of the oldest slot.
  std::size_t count_ = 0;
  std::size_t read_ = 0;  // Offset of the oldest chunk in bytes_.
  std::vector<std::uint8_t> bytes_;
};

}  // namespace millrace::sctp
