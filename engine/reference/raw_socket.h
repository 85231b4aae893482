// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "engine/base/address.h"
#include "engine/base/result.h"
#include "io/datapath.h"

namespace millrace::reference {

// RawSocket owns a blocking UDP socket with large buffers and GRO. Its receives end after
// kReceiveTimeout at the latest.
class RawSocket {
 public:
  static constexpr milliseconds kReceiveTimeout{100};

  static Result<RawSocket, io::IoError> listen(const Address& at, std::uint32_t buffer_bytes);
  static Result<RawSocket, io::IoError> connect(const Address& to, std::uint32_t buffer_bytes);
  ~RawSocket();
  RawSocket(RawSocket&& other) noexcept;
  RawSocket& operator=(RawSocket&&) = delete;

  int fd() const { return fd_; }
  Address local_address() const;

 private:
  explicit RawSocket(int fd) : fd_(fd) {}
  static Result<RawSocket, io::IoError> open(const Address& like, std::uint32_t buffer_bytes);

  int fd_ = -1;
};

}  // namespace millrace::reference
