// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "engine/cli/serve_channel.h"

namespace millrace::cli {

// RelayHub knows on which shards a relay label has channels, and carries messages from
// one shard to the others. Any thread.
class RelayHub {
 public:
  // Runs on the shard with that index, soon; false when its inbox is full.
  using Post = std::function<bool(unsigned shard, const std::string& label,
                                  std::shared_ptr<const StoredMessage> message)>;

  // Before the engine starts.
  void set_post(Post post) { post_ = std::move(post); }

  void join(const std::string& label, unsigned shard) { change(label, shard, +1); }
  void leave(const std::string& label, unsigned shard) { change(label, shard, -1); }

  // Copies the message once, and only if a shard other than `from` has such channels.
  // Returns how many of them could not take it.
  unsigned broadcast(const std::string& label, unsigned from, const MessageView& message);

 private:
  void change(const std::string& label, unsigned shard, int by);

  Post post_;
  std::mutex mutex_;
  std::map<std::string, std::map<unsigned, int>> members_;  // label -> shard -> channels
};

}  // namespace millrace::cli
