// SPDX-License-Identifier: Apache-2.0
//
// The raw reference of a device past the kernel: frames of the same size as the engine's,
// with nothing in them, from one end of a memif to the other. What the device takes is all
// that holds the sender back.
#pragma once

#include <string>

#include "engine/reference/reference.h"

namespace millrace::reference {

// Each opens `device`, waits for the link and for the other end, and returns when the exchange
// is over. `Options::datagram_bytes` is the UDP payload that a frame would carry: the frame
// has the 42 bytes of its headers more.
Result<ReceiverReport, io::IoError> receive_frames(const std::string& device,
                                                   const Options& options);
Result<SenderReport, io::IoError> send_frames(const std::string& device, const Options& options);
Result<PongReport, io::IoError> pong_frames(const std::string& device, const Options& options);
Result<PingReport, io::IoError> ping_frames(const std::string& device, const Options& options);

}  // namespace millrace::reference
