// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <cstdint>
#include <functional>

namespace millrace::sctp {

// SerialNumber is a position on the 32-bit serial-number circle (RFC 1982). It has no
// operator<: circular order is not transitive, so sorting or searching by it is
// undefined. Compare with `precedes`, or order by an Unwrapped number. `Tag` keeps
// numbers of different meaning apart.
template <class Tag>
class SerialNumber {
 public:
  constexpr SerialNumber() = default;
  explicit constexpr SerialNumber(std::uint32_t value) : value_(value) {}

  constexpr std::uint32_t value() const { return value_; }
  constexpr SerialNumber next() const { return SerialNumber(value_ + 1); }
  constexpr SerialNumber previous() const { return SerialNumber(value_ - 1); }
  constexpr SerialNumber plus(std::uint32_t n) const { return SerialNumber(value_ + n); }
  constexpr SerialNumber minus(std::uint32_t n) const { return SerialNumber(value_ - n); }
  // Steps forward from `earlier` to this, in [0, 2^32).
  constexpr std::uint32_t distance_from(SerialNumber earlier) const {
    return value_ - earlier.value_;
  }

  // RFC 1982 §3.2. Two points exactly half the circle apart are unordered.
  constexpr bool precedes(SerialNumber other) const {
    const std::uint32_t ahead = other.value_ - value_;
    return ahead != 0 && ahead < kHalfCircle;
  }
  constexpr bool precedes_or_equals(SerialNumber other) const {
    return value_ == other.value_ || precedes(other);
  }
  friend constexpr bool operator==(SerialNumber, SerialNumber) = default;

 private:
  static constexpr std::uint32_t kHalfCircle = 1u << 31;
  std::uint32_t value_ = 0;
};

// Unwrapped is a serial number on a line instead of a circle: 64 bits that never wrap
// within the life of an association, so that it can be ordered, subtracted and used as
// a ring index.
template <class Tag>
class Unwrapped {
 public:
  using Wrapped = SerialNumber<Tag>;

  constexpr Unwrapped() = default;
  explicit constexpr Unwrapped(std::uint64_t value) : value_(value) {}

  // Places the first number of an association one circle above zero, so that numbers
  // somewhat before it unwrap too.
  static constexpr Unwrapped first(Wrapped number) {
    return Unwrapped((std::uint64_t{1} << 32) + number.value());
  }
  // Returns the value that wraps to `number` and lies nearest to `reference`; half a
  // circle away counts as behind.
  static constexpr Unwrapped nearest(Unwrapped reference, Wrapped number) {
    const std::uint32_t step = number.value() - reference.wrap().value();
    return Unwrapped(reference.value_ + step - (step >= kHalfCircle ? kCircle : 0));
  }

  constexpr std::uint64_t value() const { return value_; }
  constexpr Wrapped wrap() const { return Wrapped(static_cast<std::uint32_t>(value_)); }
  constexpr Unwrapped next() const { return Unwrapped(value_ + 1); }
  constexpr Unwrapped previous() const { return Unwrapped(value_ - 1); }
  constexpr Unwrapped plus(std::uint64_t n) const { return Unwrapped(value_ + n); }
  constexpr Unwrapped minus(std::uint64_t n) const { return Unwrapped(value_ - n); }
  // `earlier` must not be greater than this.
  constexpr std::uint64_t distance_from(Unwrapped earlier) const { return value_ - earlier.value_; }

  // NOLINTNEXTLINE(modernize-use-nullptr): it takes the compiler's zero for a pointer.
  friend constexpr auto operator<=>(Unwrapped, Unwrapped) = default;

 private:
  static constexpr std::uint64_t kCircle = std::uint64_t{1} << 32;
  static constexpr std::uint32_t kHalfCircle = 1u << 31;
  std::uint64_t value_ = 0;
};

// Tsn numbers a DATA or I-DATA chunk (RFC 9260 §3.3.1).
using Tsn = SerialNumber<struct TsnTag>;
using UnwrappedTsn = Unwrapped<struct TsnTag>;

// ReconfigSeq numbers a RE-CONFIG request (RFC 6525 §4.1). It starts at the sender's
// initial TSN but is not a TSN.
using ReconfigSeq = SerialNumber<struct ReconfigSeqTag>;

// Mid is the message identifier of I-DATA (RFC 8260 §2.1), counted per stream and kind.
using Mid = SerialNumber<struct MidTag>;
using UnwrappedMid = Unwrapped<struct MidTag>;

// Ssn is a stream sequence number, 16 bits on a circle of its own (RFC 9260 §3.3.1).
class Ssn {
 public:
  constexpr Ssn() = default;
  explicit constexpr Ssn(std::uint16_t value) : value_(value) {}

  constexpr std::uint16_t value() const { return value_; }
  constexpr Ssn next() const { return Ssn(static_cast<std::uint16_t>(value_ + 1)); }
  constexpr std::uint16_t distance_from(Ssn earlier) const {
    return static_cast<std::uint16_t>(value_ - earlier.value_);
  }
  constexpr bool precedes(Ssn other) const {
    const std::uint16_t ahead = other.distance_from(*this);
    return ahead != 0 && ahead < kHalfCircle;
  }
  constexpr bool precedes_or_equals(Ssn other) const { return *this == other || precedes(other); }
  friend constexpr bool operator==(Ssn, Ssn) = default;

 private:
  static constexpr std::uint16_t kHalfCircle = 1u << 15;
  std::uint16_t value_ = 0;
};

// StreamId names a stream in one direction. As an identifier it has a total order.
class StreamId {
 public:
  constexpr StreamId() = default;
  explicit constexpr StreamId(std::uint16_t value) : value_(value) {}
  constexpr std::uint16_t value() const { return value_; }
  // NOLINTNEXTLINE(modernize-use-nullptr): it takes the compiler's zero for a pointer.
  friend constexpr auto operator<=>(StreamId, StreamId) = default;

 private:
  std::uint16_t value_ = 0;
};

// Ppid is the payload protocol identifier, carried unread by SCTP. The constants are
// those of WebRTC (RFC 8831 §8, RFC 8832 §8.1).
class Ppid {
 public:
  constexpr Ppid() = default;
  explicit constexpr Ppid(std::uint32_t value) : value_(value) {}
  constexpr std::uint32_t value() const { return value_; }
  friend constexpr bool operator==(Ppid, Ppid) = default;

 private:
  std::uint32_t value_ = 0;
};

inline constexpr Ppid kPpidDcep{50};
inline constexpr Ppid kPpidString{51};
inline constexpr Ppid kPpidBinaryPartial{52};  // Deprecated: received, never sent.
inline constexpr Ppid kPpidBinary{53};
inline constexpr Ppid kPpidStringPartial{54};  // Deprecated: received, never sent.
inline constexpr Ppid kPpidStringEmpty{56};
inline constexpr Ppid kPpidBinaryEmpty{57};

// VerificationTag proves that a packet belongs to an association (RFC 9260 §8.5). Zero
// is valid only on a packet that carries INIT.
class VerificationTag {
 public:
  constexpr VerificationTag() = default;
  explicit constexpr VerificationTag(std::uint32_t value) : value_(value) {}
  constexpr std::uint32_t value() const { return value_; }
  constexpr bool is_zero() const { return value_ == 0; }
  friend constexpr bool operator==(VerificationTag, VerificationTag) = default;

 private:
  std::uint32_t value_ = 0;
};

}  // namespace millrace::sctp

template <>
struct std::hash<millrace::sctp::StreamId> {
  std::size_t operator()(millrace::sctp::StreamId id) const noexcept { return id.value(); }
};
