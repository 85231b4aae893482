// SPDX-License-Identifier: Apache-2.0
#include "io/dpdk/memif_device.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace millrace::io {
namespace {

constexpr std::size_t kSlack = 64;
constexpr std::size_t kDriversBufferBytes = 2048;  // Where none is stated.

// Takes the next argument, "key=value", off `arguments`.
std::pair<std::string_view, std::string_view> take_argument(std::string_view& arguments) {
  const std::string_view argument = arguments.substr(0, arguments.find(','));
  arguments.remove_prefix(std::min(argument.size() + 1, arguments.size()));
  const std::size_t equals = std::min(argument.find('='), argument.size());
  return {argument.substr(0, equals), argument.substr(std::min(equals + 1, argument.size()))};
}

}  // namespace

// The driver's default role, and two names for it.
bool is_memif_client(std::string_view device) {
  bool client = true;
  while (!device.empty()) {
    const auto [key, value] = take_argument(device);
    if (key == "role") client = value != "server" && value != "master";
  }
  return client;
}

std::optional<std::string> memif_argument_refusal(std::string_view device) {
  while (!device.empty()) {
    const auto [key, value] = take_argument(device);
    const std::string stated = std::string(key) + "=" + std::string(value);
    if (key == "bsize") return stated + ": the size of buffers follows from the mtu; leave it out";
    if (key == "zero-copy" && value != "no") {
      return stated + ": the other end could have more read than a buffer holds; leave it out";
    }
  }
  return std::nullopt;
}

std::string with_memif_buffers(const std::string& device, std::size_t frame_bytes) {
  return device + ",bsize=" + std::to_string(frame_bytes + kSlack);
}

bool memif_minds_lengths(std::string_view arguments, std::size_t frame_bytes) {
  std::size_t buffer_bytes = kDriversBufferBytes;
  while (!arguments.empty()) {
    const auto [key, value] = take_argument(arguments);
    if (key == "zero-copy" && value != "no") return false;
    if (key != "bsize") continue;
    const auto parsed = std::from_chars(value.data(), value.data() + value.size(), buffer_bytes);
    if (parsed.ec != std::errc{}) return false;
  }
  return buffer_bytes > frame_bytes;
}

}  // namespace millrace::io
