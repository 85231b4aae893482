// SPDX-License-Identifier: Apache-2.0
//
// The raw reference of a device past the kernel: frames of the same size as the engine's,
// with nothing in them, from one end of a memif to the other. What the device takes is all
// that holds the sender back.
#pragma once

#include <memory>
#include <string>

#include "engine/reference/reference.h"

namespace millrace::io {
class DpdkPort;
}

namespace millrace::reference {

// open_frame_port opens `device` with one queue pair and an address in 198.18.0.0/24, which the
// frames do not bear. The EAL is started where it does not run.
Result<std::shared_ptr<io::DpdkPort>, io::IoError> open_frame_port(const std::string& device);

// Each waits for the link and for the other end, and returns when the exchange is over; it pins
// the calling thread as `options` say. `Options::datagram_bytes` is the UDP payload that a frame
// would carry: the frame has the 42 bytes of its headers more.
using FramePort = std::shared_ptr<io::DpdkPort>;
Result<ReceiverReport, io::IoError> receive_frames(const FramePort& port, const Options& options);
Result<SenderReport, io::IoError> send_frames(const FramePort& port, const Options& options);
Result<PongReport, io::IoError> pong_frames(const FramePort& port, const Options& options);
Result<PingReport, io::IoError> ping_frames(const FramePort& port, const Options& options);

}  // namespace millrace::reference
