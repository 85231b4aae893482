// SPDX-License-Identifier: Apache-2.0
#include "engine/cli/part_pattern.h"

#include <algorithm>

#include "engine/base/check.h"
#include "engine/cli/load_channel.h"

namespace millrace::cli {

PartPattern::PartPattern() : bytes_(kPeriod + kPartBytes), head_(kPartBytes) {
  std::uint32_t state = 1;
  for (std::size_t i = 0; i < kPeriod; ++i) {
    state = state * 1'664'525 + 1'013'904'223;
    bytes_[i] = static_cast<std::uint8_t>(state >> 24);
  }
  for (std::size_t i = kPeriod; i < bytes_.size(); ++i) bytes_[i] = bytes_[i - kPeriod];
}

std::span<const std::uint8_t> PartPattern::part(std::uint64_t sequence, Time intended,
                                                std::uint64_t offset, std::size_t size) {
  CHECK(size <= kPartBytes && offset % kPartBytes == 0);
  const std::span<const std::uint8_t> bytes(bytes_.data() + place(sequence, offset), size);
  if (offset > 0) return bytes;
  const std::span<std::uint8_t> head(head_.data(), size);
  std::copy(bytes.begin(), bytes.end(), head.begin());
  write_stamp(head, sequence, intended);
  return head;
}

bool PartPattern::matches(std::uint64_t sequence, std::uint64_t offset,
                          std::span<const std::uint8_t> bytes) const {
  if (offset < kStampBytes) {
    const std::size_t stamp = std::min<std::size_t>(bytes.size(), kStampBytes - offset);
    bytes = bytes.subspan(stamp);
    offset += stamp;
  }
  while (!bytes.empty()) {
    const std::size_t size = std::min(bytes.size(), kPartBytes);
    if (!std::equal(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size),
                    bytes_.begin() + static_cast<std::ptrdiff_t>(place(sequence, offset)))) {
      return false;
    }
    bytes = bytes.subspan(size);
    offset += size;
  }
  return true;
}

}  // namespace millrace::cli
