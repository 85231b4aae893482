// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "engine/base/bytes.h"
#include "engine/base/check.h"

namespace millrace::sctp {

// ByteWriter fills a span from its front in network byte order. The caller has sized
// the span; writing past its end is our own bug and a CHECK failure.
class ByteWriter {
 public:
  explicit ByteWriter(MutableByteSpan out) : out_(out) {}

  void u8(std::uint8_t v) { advance(1)[0] = v; }
  void u16(std::uint16_t v) { store_be16(advance(2), v); }
  void u32(std::uint32_t v) { store_be32(advance(4), v); }
  // For control data (cookies, causes); user payload goes through copy_payload.
  void bytes(ByteSpan from) {
    std::uint8_t* const to = advance(from.size());
    for (std::size_t i = 0; i < from.size(); ++i) to[i] = from[i];
  }
  std::size_t remaining() const { return out_.size(); }

 private:
  std::uint8_t* advance(std::size_t n) {
    CHECK(n <= out_.size());
    std::uint8_t* const at = out_.data();
    out_ = out_.subspan(n);
    return at;
  }
  MutableByteSpan out_;
};

}  // namespace millrace::sctp
