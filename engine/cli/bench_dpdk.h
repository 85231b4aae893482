// SPDX-License-Identifier: Apache-2.0
//
// What `millrace bench --io dpdk` measures otherwise: over memif, which is shared memory, so that
// it needs no network card, no huge pages and no privilege. Both ends are in this process, each
// with a device of its own; what the driver does for a frame is what it does between two.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/cli/bench_report.h"
#include "engine/cli/bench_steps.h"
#include "engine/reference/reference.h"
#include "millrace/dpdk.h"
#include "millrace/engine.h"

namespace millrace::cli {

#ifdef MILLRACE_DPDK
inline constexpr bool kHasDpdk = true;
#else
inline constexpr bool kHasDpdk = false;
#endif

// Each returns what went wrong, in a line; that this build has no DPDK, too.

// Appends the steps of a datagram between an engine and memif, both ways, measured in the calling
// thread for `each`.
std::optional<std::string> measure_device_steps(const DpdkOptions& options, Duration each,
                                                std::vector<Step>& steps);

// The raw reference: bare frames as large as the engine's, one way, and of 100 bytes there and
// back.
std::optional<std::string> measure_frames(const DpdkOptions& options,
                                          const reference::Options& sender,
                                          const reference::Options& receiver,
                                          BenchReport::Rates& rates);

// Two engines' devices, connected, with the link up, and where the first listens.
std::optional<std::string> attach_memif(const DpdkOptions& options, EngineOptions& serving,
                                        EngineOptions& dialling);

}  // namespace millrace::cli
