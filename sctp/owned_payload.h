// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <utility>

#include "engine/base/bytes.h"

namespace millrace::sctp {

// OwnedPayload hands a message's memory over without a copy. `release` is called once,
// with the arguments given, when no byte of it will be read again: after the peer has
// acknowledged it, or when it is abandoned, or with the association. It must not call
// back into the association.
class OwnedPayload {
 public:
  using Release = void (*)(void* context, ByteSpan bytes) noexcept;

  OwnedPayload() = default;
  OwnedPayload(ByteSpan bytes, Release release, void* context)
      : bytes_(bytes), release_(release), context_(context) {}
  OwnedPayload(OwnedPayload&& other) noexcept
      : bytes_(std::exchange(other.bytes_, {})),
        release_(std::exchange(other.release_, nullptr)),
        context_(std::exchange(other.context_, nullptr)) {}
  OwnedPayload& operator=(OwnedPayload&& other) noexcept {
    std::swap(bytes_, other.bytes_);
    std::swap(release_, other.release_);
    std::swap(context_, other.context_);
    return *this;
  }
  ~OwnedPayload() {
    if (release_ != nullptr) release_(context_, bytes_);
  }

  ByteSpan bytes() const { return bytes_; }

 private:
  ByteSpan bytes_;
  Release release_ = nullptr;
  void* context_ = nullptr;
};

}  // namespace millrace::sctp
