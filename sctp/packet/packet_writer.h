// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <concepts>
#include <cstdint>

#include "engine/base/bytes.h"
#include "engine/base/lent_bytes.h"
#include "sctp/crc32c.h"
#include "sctp/packet/chunk.h"
#include "sctp/packet/common_header.h"
#include "sctp/packet/data_chunk.h"
#include "sctp/packet/i_data_chunk.h"

namespace millrace::sctp {

// ChunkBuilder is what each `…Chunk` of sctp/packet/ satisfies: `size` is the chunk
// length without padding, and `write` fills a span of exactly that size.
template <class C>
concept ChunkBuilder = requires(const C& chunk, MutableByteSpan out) {
  { chunk.size() } -> std::same_as<std::size_t>;
  { chunk.write(out) } -> std::same_as<void>;
};

enum class ChecksumMode : std::uint8_t {
  kCrc32c,
  kZero,  // RFC 9653: only where the peer has accepted it.
};

// PacketWriter bundles chunks into one packet. Construct it over the space for the
// packet (at least a common header), append chunks in wire order, `finish` once.
// An append that does not fit returns false and leaves the packet as it was.
class PacketWriter {
 public:
  // A payload of this size or more is worth a piece of its own to whoever seals the packet.
  static constexpr std::size_t kMinLentBytes = 256;
  static_assert(kMinLentBytes >= 2 * LentBytes::kGrain, "a whole grain must lie within");

  // With `lent`, which is empty, the first such payload stays where it is and is told of there:
  // for a packet without a checksum, which nobody reads before the payload is in its place.
  PacketWriter(MutableByteSpan out, const CommonHeader& header, LentBytes* lent = nullptr)
      : out_(out), lent_(lent), copied_(copy_counters().build) {
    header.write(out);
  }

  // Bytes that the next chunk may have, header included, padding not.
  std::size_t space() const { return (out_.size() & ~std::size_t{3}) - used_; }
  std::size_t size() const { return used_; }
  bool has_chunks() const { return used_ > CommonHeader::kBytes; }

  template <ChunkBuilder C>
  bool append(const C& chunk) {
    const std::size_t bytes = chunk.size();
    if (bytes > space() || bytes > kMaxChunkBytes) return false;
    chunk.write(out_.subspan(used_, bytes));
    pad_behind(bytes);
    return true;
  }

  // Appends a DATA or I-DATA chunk and copies its payload, which must not be empty, or lends it.
  template <class Header>
  bool append_data(const Header& header, ByteSpan payload) {
    const MutableByteSpan to = reserve_data(header, payload.size());
    if (to.empty()) return false;
    if (lent_ != nullptr && lent_->empty() && payload.size() >= kMinLentBytes) {
      lend(to, payload);
    } else {
      copy_payload(to, payload, copied_);
    }
    return true;
  }
  // The same for a payload that comes in pieces: returns the place for its
  // `payload_bytes`, to be filled before `finish`; empty when it does not fit.
  template <class Header>
  MutableByteSpan reserve_data(const Header& header, std::size_t payload_bytes) {
    const std::size_t bytes = Header::kBytes + payload_bytes;
    if (bytes > space() || bytes > kMaxChunkBytes || payload_bytes == 0) return {};
    std::uint8_t* const at = out_.data() + used_;
    header.write(at, payload_bytes);
    pad_behind(bytes);
    return {at + Header::kBytes, payload_bytes};
  }

  // Seals the packet and returns its size; 0 when no chunk was appended.
  std::size_t finish(ChecksumMode mode = ChecksumMode::kCrc32c) {
    if (!has_chunks()) return 0;
    DCHECK(mode == ChecksumMode::kZero || lent_ == nullptr || lent_->empty());
    if (mode == ChecksumMode::kCrc32c) {
      CommonHeader::store_checksum(out_.data() + CommonHeader::kChecksumOffset,
                                   packet_checksum(out_.first(used_)));
    }
    return used_;
  }

 private:
  // All of `payload` but what comes before the packet's first whole grain, and behind the last.
  void lend(MutableByteSpan to, ByteSpan payload) {
    constexpr std::size_t kGrain = LentBytes::kGrain;
    const auto at = static_cast<std::size_t>(to.data() - out_.data());
    const std::size_t before = (kGrain - at % kGrain) % kGrain;
    const std::size_t behind = (at + payload.size()) % kGrain;
    const std::size_t between = payload.size() - before - behind;
    copy_payload(to.first(before), payload.first(before), copied_);
    copy_payload(to.last(behind), payload.last(behind), copied_);
    lent_->data = payload.data() + before;
    lent_->at = static_cast<std::uint32_t>(at + before);
    lent_->size = static_cast<std::uint32_t>(between);
  }

  // RFC 9260 §3.2: padding is zero and at most three bytes.
  void pad_behind(std::size_t bytes) {
    const std::size_t end = used_ + padded_to_four(bytes);
    for (std::size_t i = used_ + bytes; i < end; ++i) out_[i] = 0;
    used_ = end;
  }

  MutableByteSpan out_;
  LentBytes* const lent_;
  std::size_t used_ = CommonHeader::kBytes;
  std::uint64_t& copied_;
};

}  // namespace millrace::sctp
