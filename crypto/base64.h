// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/bytes.h"

namespace millrace::crypto {

// Base 64 with the standard alphabet and padding (RFC 4648 §4).
std::string encode_base64(ByteSpan bytes);

// Nothing where `text` is not whole groups of the alphabet, padded where need be.
std::optional<std::vector<std::uint8_t>> decode_base64(std::string_view text);

}  // namespace millrace::crypto
