// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <utility>

#include "engine/cli/setting.h"
#include "millrace/dpdk.h"
#include "millrace/engine.h"

namespace millrace::cli {

// Adds the settings of the device that `--io dpdk` drives: `--dpdk-device` and so on, or the
// keys of a file's [dpdk] table.
void add_dpdk_settings(Settings& settings, DpdkOptions& options);
// The one of them that `bench` has, too.
void add_udp_checksum_setting(Settings& settings, DpdkOptions& options);

// With --io dpdk: opens the device, logs what it is, and has `engine` use it. Else: nothing.
std::optional<Error> attach_device(const DpdkOptions& options, EngineOptions& engine);

// The same for both ends of a loop, over two devices that are connected.
std::optional<Error> attach_pair(const DpdkOptions& options, EngineOptions& server,
                                 EngineOptions& client);

}  // namespace millrace::cli
