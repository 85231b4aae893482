// SPDX-License-Identifier: Apache-2.0
#include "engine/table/table_key.h"

#include <cstring>

#include "engine/base/bytes.h"

namespace millrace::engine {

AddressKey::AddressKey(const Address& remote, LocalScope scope) {
  const std::uint8_t* bytes = remote.ip.bytes.data();
  const std::uint32_t high = remote.ip.is_v4() ? load_be32(bytes) : remote.ip.scope_id;
  words_[0] = std::uint64_t{high} << 32 | std::uint64_t{scope} << 16 | remote.port;
  if (remote.ip.is_v4()) {
    words_[2] = kV4Mark;
  } else {
    words_[1] = load_be64(bytes);
    words_[2] = load_be64(bytes + 8);
  }
}

std::optional<UfragKey> UfragKey::parse(std::string_view ufrag) {
  if (ufrag.empty() || ufrag.size() > kMaxBytes) return std::nullopt;
  UfragKey key;
  std::array<std::uint8_t, sizeof(KeyWords)> bytes{static_cast<std::uint8_t>(ufrag.size())};
  std::memcpy(bytes.data() + 1, ufrag.data(), ufrag.size());
  for (std::size_t i = 0; i < key.words_.size(); ++i) {
    key.words_[i] = load_be64(bytes.data() + 8 * i);
  }
  return key;
}

}  // namespace millrace::engine
