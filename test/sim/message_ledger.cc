// SPDX-License-Identifier: Apache-2.0
#include "test/sim/message_ledger.h"

#include <algorithm>

namespace millrace::test {
namespace {

std::uint8_t filler(std::uint32_t number, std::size_t at) {
  return static_cast<std::uint8_t>(number * 31 + at);
}

}  // namespace

std::vector<std::uint8_t> tagged_payload(const MessageTag& tag, std::size_t size) {
  std::vector<std::uint8_t> payload(size);
  store_be32(payload.data(), tag.epoch);
  store_be32(payload.data() + 4, tag.life);
  store_be32(payload.data() + 8, tag.number);
  store_be16(payload.data() + 12, tag.stream);
  store_be16(payload.data() + 14, tag.sender);
  for (std::size_t i = kTagBytes; i < size; ++i) payload[i] = filler(tag.number, i);
  return payload;
}

std::optional<MessageTag> read_tag(ByteSpan payload) {
  if (payload.size() < kTagBytes) return std::nullopt;
  MessageTag tag;
  tag.epoch = load_be32(payload.data());
  tag.life = load_be32(payload.data() + 4);
  tag.number = load_be32(payload.data() + 8);
  tag.stream = load_be16(payload.data() + 12);
  tag.sender = load_be16(payload.data() + 14);
  for (std::size_t i = kTagBytes; i < payload.size(); ++i) {
    if (payload[i] != filler(tag.number, i)) return std::nullopt;
  }
  return tag;
}

std::string ArrivedMessages::note(std::uint32_t number, bool ordered) {
  const bool late = ordered && number <= newest_;
  newest_ = std::max(newest_, number);
  if (!seen_.insert(number).second) return "twice";
  return late ? "out of order" : std::string();
}

std::string ArrivedMessages::judge(std::vector<std::uint32_t> sent, bool reliable) const {
  std::sort(sent.begin(), sent.end());
  if (!std::includes(sent.begin(), sent.end(), seen_.begin(), seen_.end())) {
    return "more than was sent";
  }
  if (!reliable || seen_.size() == sent.size()) return {};
  return "lost: " + std::to_string(sent.size() - seen_.size()) + " of " +
         std::to_string(sent.size());
}

}  // namespace millrace::test
