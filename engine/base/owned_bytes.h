// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <utility>

namespace millrace {

// OwnedBytes hands memory over without a copy. `release` is called once, with the arguments
// given, when no byte of it will be read again; with null it never is. An object that was
// moved from holds nothing.
class OwnedBytes {
 public:
  using Release = void (*)(void* context, std::span<const std::uint8_t> bytes) noexcept;

  OwnedBytes() = default;
  OwnedBytes(std::span<const std::uint8_t> bytes, Release release, void* context)
      : bytes_(bytes), release_(release), context_(context) {}
  OwnedBytes(OwnedBytes&& other) noexcept
      : bytes_(std::exchange(other.bytes_, {})),
        release_(std::exchange(other.release_, nullptr)),
        context_(std::exchange(other.context_, nullptr)) {}
  OwnedBytes& operator=(OwnedBytes&& other) noexcept {
    std::swap(bytes_, other.bytes_);
    std::swap(release_, other.release_);
    std::swap(context_, other.context_);
    return *this;
  }
  ~OwnedBytes() {
    if (release_ != nullptr) release_(context_, bytes_);
  }

  std::span<const std::uint8_t> bytes() const { return bytes_; }

 private:
  std::span<const std::uint8_t> bytes_;
  Release release_ = nullptr;
  void* context_ = nullptr;
};

}  // namespace millrace
