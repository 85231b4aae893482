// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/base/address.h"
#include "engine/base/result.h"
#include "millrace/engine.h"
#include "sctp/options.h"

namespace millrace::engine {

// Settings are an engine's options, parsed and checked: what every shard reads and none
// changes.
struct Settings {
  EngineOptions options;
  std::optional<Address> listen;
  std::vector<IpAddress> announce;
  sctp::Options sctp;       // Before a peer's terms are known.
  std::string fingerprint;  // Of our certificate, as SDP states it.

  // Parses addresses and checks ranges. The error names option, value and what was
  // expected. The cookie key is drawn here.
  static Result<Settings, Error> from(EngineOptions options);
};

}  // namespace millrace::engine
