// SPDX-License-Identifier: Apache-2.0
#include <utility>
#include <vector>

#include "engine/cli/serve_command.h"

namespace millrace::cli {

Result<std::unique_ptr<Engine>, Error> make_serve_engine(EngineOptions options,
                                                         const ServeOptions& serve,
                                                         RelayHub& relays,
                                                         ServeCounters& counters) {
  auto handlers = std::make_shared<std::vector<ServeHandler*>>();
  auto made = Engine::create(std::move(options), [&](ShardContext& context) {
    auto handler = std::make_unique<ServeHandler>(context, serve, relays, counters);
    handlers->push_back(handler.get());
    return handler;
  });
  if (!made.ok()) return made;
  Engine* const engine = made.value().get();
  relays.set_post([engine, handlers](unsigned shard, const std::string& label,
                                     std::shared_ptr<const StoredMessage> message) {
    ServeHandler* const handler = (*handlers)[shard];
    return engine->post(shard, [handler, label, message = std::move(message)] {
      handler->relay_from_afar(label, *message);
    });
  });
  return made;
}

}  // namespace millrace::cli
