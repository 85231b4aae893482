// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "sctp/types.h"

namespace millrace::sctp {

// ReceivedTsns knows which TSNs have come: all up to the cumulative one, and ranges above
// it (RFC 9260 §6.2). Ranges are few, sorted and merged; their number is bounded.
class ReceivedTsns {
 public:
  struct Range {
    UnwrappedTsn first;
    UnwrappedTsn last;
  };
  enum class Insert : std::uint8_t { kNew, kDuplicate, kTooManyRanges };
  static constexpr std::size_t kMaxRanges = 1024;

  explicit ReceivedTsns(UnwrappedTsn cumulative) : cumulative_(cumulative) {}

  UnwrappedTsn cumulative() const { return cumulative_; }
  bool has_gaps() const { return !ranges_.empty(); }
  std::span<const Range> ranges() const { return ranges_; }

  bool contains(UnwrappedTsn tsn) const {
    return tsn <= cumulative_ || (has_gaps() && is_in_range(tsn));
  }
  Insert insert(UnwrappedTsn tsn) {
    if (tsn == cumulative_.next() && ranges_.empty()) {
      cumulative_ = tsn;
      return Insert::kNew;
    }
    return insert_slow(tsn);
  }
  // Takes everything up to `tsn` as received (RFC 3758 §3.6).
  void advance_to(UnwrappedTsn tsn);

 private:
  bool is_in_range(UnwrappedTsn tsn) const;
  Insert insert_slow(UnwrappedTsn tsn);
  void absorb_front();

  UnwrappedTsn cumulative_;
  std::vector<Range> ranges_;
};

}  // namespace millrace::sctp
