// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "engine/base/bytes.h"
#include "sctp/packet/byte_writer.h"
#include "sctp/packet/chunk.h"

namespace millrace::sctp {

//  0                   1                   2                   3
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |       Type (or Code)          |            Length             |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// \                            Value                              /
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// RFC 9260 §3.2.1 and §3.3.10: chunk parameters and error causes have this one form.
inline constexpr std::size_t kTlvHeaderBytes = 4;

// TlvView is one parameter or cause; `bytes` begins with its header, is as long as its
// length field says and excludes padding.
struct TlvView {
  std::uint16_t type;
  ByteSpan bytes;

  ByteSpan value() const { return bytes.subspan(kTlvHeaderBytes); }
};

// TlvReader walks a list of parameters or causes. The padding of the last one may be
// missing. `next` returns nothing at the end and at the first malformed entry, behind
// which nothing can be trusted; `malformed` tells the two apart.
class TlvReader {
 public:
  explicit TlvReader(ByteSpan list) : rest_(list) {}

  std::optional<TlvView> next() {
    if (rest_.empty()) return std::nullopt;
    const std::size_t length = rest_.size() < kTlvHeaderBytes ? 0 : load_be16(rest_.data() + 2);
    if (length < kTlvHeaderBytes || length > rest_.size()) {
      malformed_ = true;
      rest_ = {};
      return std::nullopt;
    }
    const TlvView tlv{load_be16(rest_.data()), rest_.first(length)};
    const std::size_t padded = padded_to_four(length);
    rest_ = padded < rest_.size() ? rest_.subspan(padded) : ByteSpan();
    return tlv;
  }
  bool malformed() const { return malformed_; }

 private:
  ByteSpan rest_;
  bool malformed_ = false;
};

// TlvWriter builds a list of parameters or causes in the caller's memory. An `append`
// that does not fit returns false and changes nothing.
class TlvWriter {
 public:
  explicit TlvWriter(MutableByteSpan out) : out_(out) {}

  // The list so far, without the padding of its last entry: a chunk's length does not
  // count that either (RFC 9260 §3.2).
  ByteSpan bytes() const { return out_.first(used_); }

  bool append(std::uint16_t type, ByteSpan value) {
    const std::optional<ByteWriter> writer = begin(type, value.size());
    if (!writer) return false;
    ByteWriter(*writer).bytes(value);
    return true;
  }
  // Appends one of the typed parameters or causes, which have kType, `value_bytes()`
  // and `write_value(ByteWriter&)`.
  template <class Entry>
  bool append(const Entry& entry) {
    std::optional<ByteWriter> writer =
        begin(static_cast<std::uint16_t>(Entry::kType), entry.value_bytes());
    if (!writer) return false;
    entry.write_value(*writer);
    return true;
  }

 private:
  std::optional<ByteWriter> begin(std::uint16_t type, std::size_t value_bytes) {
    const std::size_t at = padded_to_four(used_);
    const std::size_t bytes = kTlvHeaderBytes + value_bytes;
    if (bytes > kMaxChunkBytes || at > out_.size() || bytes > out_.size() - at) return std::nullopt;
    for (std::size_t i = used_; i < at; ++i) out_[i] = 0;
    ByteWriter writer(out_.subspan(at, bytes));
    writer.u16(type);
    writer.u16(static_cast<std::uint16_t>(bytes));
    used_ = at + bytes;
    return writer;
  }

  MutableByteSpan out_;
  std::size_t used_ = 0;
};

}  // namespace millrace::sctp
