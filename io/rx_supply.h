// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>

namespace millrace::io {

// RxSupply says how many receive buffers the kernel is to have at a time. It fills them in the
// order in which it was given them, and at once as many as there are data for: of a stream that
// is ahead of its reader, buffers that are filled long before their turn comes, and go round
// through memory that no cache holds. So there are few, the same ones again and again, unless
// many small datagrams come at a time, or many sockets are to be served.
class RxSupply {
 public:
  // Filled ahead of a turn that is enough.
  static constexpr std::size_t kAheadBytes = 512 << 10;
  static constexpr std::size_t kLeast = 8;

  explicit RxSupply(std::size_t all) : all_(all), wanted_(all) {}

  // A filled buffer came.
  void note_filled(std::size_t bytes) {
    ++filled_;
    bytes_ += bytes;
  }
  // Data had to wait, for there was none left.
  void note_dry() { dry_ = true; }

  // How many there are to be until it is asked again. A socket that finds none stops receiving
  // until it is armed anew, so there is one for each as far as they go.
  std::size_t wanted(std::size_t sockets) {
    if (bytes_ >= kAheadBytes) {
      wanted_ = std::max(std::min(kLeast, all_), wanted_ / 2);
    } else if (dry_) {
      wanted_ = std::min(2 * wanted_, all_);
    } else if (filled_ > 0 && 4 * filled_ < wanted_ && wanted_ > kLeast) {
      --wanted_;
    }
    filled_ = bytes_ = 0;
    dry_ = false;
    return std::min(all_, std::max(wanted_, sockets));
  }

 private:
  std::size_t all_;
  std::size_t wanted_;
  std::size_t filled_ = 0;  // Since it was asked last.
  std::size_t bytes_ = 0;
  bool dry_ = false;
};

}  // namespace millrace::io
