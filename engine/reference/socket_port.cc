// SPDX-License-Identifier: Apache-2.0
#include "engine/reference/socket_port.h"

#include <algorithm>
#include <cerrno>

namespace millrace::reference {

void GsoRun::prepare(std::size_t segment_bytes) {
  vector = {.iov_base = data, .iov_len = bytes};
  message = {};
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  if (segment_bytes == 0) return;
  message.msg_control = control.data();
  message.msg_controllen = io::write_control(control.data(), segment_bytes, {}, false);
}

Result<std::unique_ptr<SocketPort>, io::IoError> SocketPort::create(RawSocket& socket,
                                                                    bool coalesced, bool spin) {
  return std::make_unique<SocketPort>(socket, coalesced, spin);
}

SocketPort::SocketPort(RawSocket& socket, bool coalesced, bool spin)
    : fd_(socket.fd()),
      coalesced_(coalesced),
      flags_(spin        ? MSG_DONTWAIT
             : coalesced ? MSG_WAITFORONE
                         : 0),
      memory_(kBatch * kPortBufferBytes) {
  for (std::size_t i = 0; i < kBatch; ++i) {
    vectors_[i] = {.iov_base = memory_.data() + i * kPortBufferBytes, .iov_len = kPortBufferBytes};
    messages_[i].msg_hdr.msg_iov = &vectors_[i];
    messages_[i].msg_hdr.msg_iovlen = 1;
    messages_[i].msg_hdr.msg_control = controls_[i].data();
  }
}

int SocketPort::receive_one() {
  const ssize_t got = ::recv(fd_, memory_.data(), kPortBufferBytes, flags_);
  if (got <= 0) return 0;
  const auto bytes = static_cast<std::size_t>(got);
  arrivals_[0] = {.bytes = {memory_.data(), bytes}, .segment_bytes = bytes};
  return 1;
}

int SocketPort::receive_many() {
  for (mmsghdr& message : messages_) message.msg_hdr.msg_controllen = io::kRxControlBytes;
  const int got = ::recvmmsg(fd_, messages_.data(), kBatch, flags_, nullptr);
  for (int n = 0; n < got; ++n) {
    const auto i = static_cast<std::size_t>(n);
    const msghdr& header = messages_[i].msg_hdr;
    const std::size_t bytes = messages_[i].msg_len;
    const std::size_t segment =
        io::read_control(controls_[i].data(), header.msg_controllen).segment_bytes;
    arrivals_[i] = {.bytes = {static_cast<std::uint8_t*>(vectors_[i].iov_base), bytes},
                    .segment_bytes = std::max<std::size_t>(segment == 0 ? bytes : segment, 1)};
  }
  return got;
}

void SocketPort::send(ByteSpan datagram) {
  ::send(fd_, datagram.data(), datagram.size(), MSG_NOSIGNAL);
}

bool SocketPort::send_runs(std::span<GsoRun> runs) {
  sends_.resize(runs.size());
  for (std::size_t i = 0; i < runs.size(); ++i) sends_[i].msg_hdr = runs[i].message;
  std::size_t sent = 0;
  while (sent < runs.size()) {
    const int got = ::sendmmsg(fd_, sends_.data() + sent, static_cast<unsigned>(runs.size() - sent),
                               MSG_NOSIGNAL);
    if (got > 0) {
      sent += static_cast<std::size_t>(got);
    } else if (errno != ENOBUFS && errno != EAGAIN && errno != EINTR) {
      return false;
    }
  }
  return true;
}

}  // namespace millrace::reference
