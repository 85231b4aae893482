// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "engine/shard/shard_runner.h"
#include "millrace/packet_device.h"
#include "millrace/types.h"

namespace millrace::engine {

struct ShardWorld;

// PacketDeviceImpl is every PacketDevice: it makes the shards that run over it, so that the
// engine knows nothing of what drives it.
class PacketDeviceImpl : public PacketDevice {
 public:
  // `clock` and what `world` refers to outlive the shard. Once for each index.
  virtual Result<std::unique_ptr<ShardRunner>, Error> make_shard(unsigned index,
                                                                 const ShardWorld& world,
                                                                 const Clock& clock) = 0;
  virtual unsigned queues() const = 0;
};

}  // namespace millrace::engine
