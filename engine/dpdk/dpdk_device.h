// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "millrace/packet_device.h"

namespace millrace::io {
class DpdkPort;
}

namespace millrace::engine {

// make_packet_device makes an engine's device of an open port.
std::shared_ptr<PacketDevice> make_packet_device(std::shared_ptr<io::DpdkPort> port);

}  // namespace millrace::engine
