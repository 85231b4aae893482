// SPDX-License-Identifier: Apache-2.0
#include "crypto/base64.h"

#include <openssl/base64.h>

namespace millrace::crypto {

std::string encode_base64(ByteSpan bytes) {
  // Four characters for three bytes, and the zero that BoringSSL writes behind them.
  std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0');
  text.resize(
      EVP_EncodeBlock(reinterpret_cast<std::uint8_t*>(text.data()), bytes.data(), bytes.size()));
  return text;
}

std::optional<std::vector<std::uint8_t>> decode_base64(std::string_view text) {
  std::vector<std::uint8_t> bytes(text.size() / 4 * 3);
  std::size_t written = 0;
  if (EVP_DecodeBase64(bytes.data(), &written, bytes.size(),
                       reinterpret_cast<const std::uint8_t*>(text.data()), text.size()) != 1) {
    return std::nullopt;
  }
  bytes.resize(written);
  return bytes;
}

}  // namespace millrace::crypto
