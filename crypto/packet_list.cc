// SPDX-License-Identifier: Apache-2.0
#include "crypto/packet_list.h"

namespace millrace::crypto {

void PacketList::append(ByteSpan packet) {
  bytes_.insert(bytes_.end(), packet.begin(), packet.end());
  ends_.push_back(bytes_.size());
}

void PacketList::append(const PacketList& other) {
  for (std::size_t i = 0; i < other.size(); ++i) append(other[i]);
}

void PacketList::pop_front() {
  CHECK(!empty());
  if (++next_ == ends_.size()) clear();
}

void PacketList::clear() {
  bytes_.clear();
  ends_.clear();
  next_ = 0;
}

ByteSpan PacketList::operator[](std::size_t index) const {
  CHECK(index < size());
  const std::size_t begin = begin_of(next_ + index);
  return ByteSpan(bytes_).subspan(begin, ends_[next_ + index] - begin);
}

}  // namespace millrace::crypto
