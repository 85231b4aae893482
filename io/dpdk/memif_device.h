// SPDX-License-Identifier: Apache-2.0
//
// A memif's device string: "net_memif0,role=client,socket=...", as its driver reads it.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace millrace::io {

inline constexpr const char* kMemif = "net_memif";

// is_memif_client says which role `device` states; without one it has the driver's default.
bool is_memif_client(std::string_view device);

// memif_argument_refusal names the argument of `device` that may not be there, and says why:
// its driver would copy, or point to, as much as the other end says a frame has.
std::optional<std::string> memif_argument_refusal(std::string_view device);

// with_memif_buffers adds to `device` the size of the buffers in shared memory, so that frames
// of up to `frame_bytes` are in one piece. They are larger than ours, which have `frame_bytes`:
// the driver then minds, of what the other end says of lengths, how much fits.
std::string with_memif_buffers(const std::string& device, std::size_t frame_bytes);

// memif_minds_lengths says whether a memif that runs with `arguments` does so.
bool memif_minds_lengths(std::string_view arguments, std::size_t frame_bytes);

}  // namespace millrace::io
