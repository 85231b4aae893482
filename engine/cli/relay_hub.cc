// SPDX-License-Identifier: Apache-2.0
#include "engine/cli/relay_hub.h"

namespace millrace::cli {

void RelayHub::change(const std::string& label, unsigned shard, int by) {
  const std::lock_guard lock(mutex_);
  std::map<unsigned, int>& shards = members_[label];
  if ((shards[shard] += by) == 0) shards.erase(shard);
  if (shards.empty()) members_.erase(label);
}

unsigned RelayHub::broadcast(const std::string& label, unsigned from, const MessageView& message) {
  std::vector<unsigned> others;
  {
    const std::lock_guard lock(mutex_);
    const auto found = members_.find(label);
    if (found == members_.end()) return 0;
    for (const auto& [shard, channels] : found->second) {
      if (shard != from) others.push_back(shard);
    }
  }
  if (others.empty() || !post_) return 0;
  auto stored = std::make_shared<StoredMessage>();
  stored->kind = message.kind;
  message.append_to(stored->bytes);
  unsigned refused = 0;
  for (const unsigned shard : others) refused += post_(shard, label, stored) ? 0u : 1u;
  return refused;
}

}  // namespace millrace::cli
