// SPDX-License-Identifier: Apache-2.0
#include "sctp/rx/received_tsns.h"

#include <algorithm>

namespace millrace::sctp {

bool ReceivedTsns::is_in_range(UnwrappedTsn tsn) const {
  const auto after =
      std::upper_bound(ranges_.begin(), ranges_.end(), tsn,
                       [](UnwrappedTsn value, const Range& range) { return value < range.first; });
  return after != ranges_.begin() && tsn <= std::prev(after)->last;
}

ReceivedTsns::Insert ReceivedTsns::insert_slow(UnwrappedTsn tsn) {
  if (tsn <= cumulative_) return Insert::kDuplicate;
  if (tsn == cumulative_.next()) {
    cumulative_ = tsn;
    absorb_front();
    return Insert::kNew;
  }
  const auto after =
      std::upper_bound(ranges_.begin(), ranges_.end(), tsn,
                       [](UnwrappedTsn value, const Range& range) { return value < range.first; });
  const bool joins_after = after != ranges_.end() && after->first == tsn.next();
  if (after != ranges_.begin()) {
    const auto before = std::prev(after);
    if (tsn <= before->last) return Insert::kDuplicate;
    if (tsn == before->last.next()) {
      before->last = joins_after ? after->last : tsn;
      if (joins_after) ranges_.erase(after);
      return Insert::kNew;
    }
  }
  if (joins_after) {
    after->first = tsn;
    return Insert::kNew;
  }
  if (ranges_.size() >= kMaxRanges) return Insert::kTooManyRanges;
  ranges_.insert(after, Range{tsn, tsn});
  return Insert::kNew;
}

void ReceivedTsns::advance_to(UnwrappedTsn tsn) {
  if (tsn <= cumulative_) return;
  cumulative_ = tsn;
  absorb_front();
}

void ReceivedTsns::absorb_front() {
  auto keep = ranges_.begin();
  for (; keep != ranges_.end() && keep->first <= cumulative_.next(); ++keep) {
    cumulative_ = std::max(cumulative_, keep->last);
  }
  ranges_.erase(ranges_.begin(), keep);
}

}  // namespace millrace::sctp
