// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "engine/base/result.h"
#include "io/datapath.h"

namespace millrace::io {

// make_ring_pair makes two virtual devices whose queues are connected crosswise, for two ends
// in one process; returns their names, for `DpdkPortOptions::device`. The EAL must run.
Result<std::pair<std::string, std::string>, IoError> make_ring_pair(std::uint16_t queues,
                                                                    unsigned depth = 1024);

// is_of_ring_pair tells one of these from a device that others have made.
bool is_of_ring_pair(const std::string& device);

// end_of_ring_pair is told when one of the devices has been closed; with the second the rings
// go, and the frames that are still in them.
void end_of_ring_pair(const std::string& device);

}  // namespace millrace::io
