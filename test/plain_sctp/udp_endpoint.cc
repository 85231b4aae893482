// SPDX-License-Identifier: Apache-2.0
#include "test/plain_sctp/udp_endpoint.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "engine/base/check.h"
#include "io/kernel_address.h"
#include "io/monotonic_clock.h"

namespace millrace::test {
namespace {

constexpr ssize_t kSurelyData = 400;
constexpr int kSocketBytes = 4 << 20;
constexpr int kBurst = 64;
constexpr Duration kLongestWait = milliseconds(50);

const Address kLoopback{IpAddress::v4(127, 0, 0, 1), 0};

}  // namespace

Result<int, std::string> open_udp(const Address& local) {
  io::KernelAddress kernel;
  const socklen_t length = io::to_kernel(local, local.ip.is_v6(), kernel);
  const int fd =
      ::socket(local.ip.is_v6() ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0 || ::bind(fd, &kernel.any, length) != 0) {
    const std::string reason = std::strerror(errno);
    if (fd >= 0) ::close(fd);
    return Failure("cannot bind UDP " + local.to_string() + ": " + reason);
  }
  for (const int option : {SO_RCVBUF, SO_SNDBUF}) {
    ::setsockopt(fd, SOL_SOCKET, option, &kSocketBytes, sizeof(kSocketBytes));
  }
  return fd;
}

UdpEndpoint::UdpEndpoint(sctp::Options options)
    : UdpEndpoint(options, open_udp(kLoopback).value(), 1) {}

UdpEndpoint::UdpEndpoint(sctp::Options options, int socket, std::uint64_t seed)
    : options_(options), rng_(seed), socket_(socket), v6_(address().ip.is_v6()) {
  options_.extensions.zero_checksum = false;
  begin_anew();
}

UdpEndpoint::~UdpEndpoint() {
  association_.reset();
  ::close(socket_);
}

void UdpEndpoint::begin_anew() { association_.emplace(options_, rng_, mac_, pool_); }

Address UdpEndpoint::address() const {
  io::KernelAddress local;
  socklen_t length = sizeof(local);
  CHECK(::getsockname(socket_, &local.any, &length) == 0);
  return io::from_kernel(local, length).value_or(Address());
}

Time UdpEndpoint::now() const { return io::monotonic_now(); }

bool UdpEndpoint::run_until(const std::function<bool()>& done, Duration limit) {
  const Time end = now() + limit;
  flush();
  while (!done()) {
    const Time start = now();
    if (start >= end) return false;
    const Duration wait =
        std::clamp<Duration>(association_->next_timeout() - start, Duration::zero(), kLongestWait);
    const timespec patience{0, static_cast<long>(std::chrono::nanoseconds(wait).count())};
    pollfd readable{.fd = socket_, .events = POLLIN, .revents = 0};
    ::ppoll(&readable, 1, &patience, nullptr);
    receive_burst();
    if (now() >= association_->next_timeout()) association_->handle_timeout(now());
    flush();
  }
  return true;
}

void UdpEndpoint::receive_burst() {
  std::array<std::uint8_t, 65536> datagram;
  for (int i = 0; i < kBurst; ++i) {
    io::KernelAddress source;
    socklen_t length = sizeof(source);
    const ssize_t got =
        ::recvfrom(socket_, datagram.data(), datagram.size(), 0, &source.any, &length);
    if (got < 0) break;
    if (is_lost()) {
      data_packets_lost += got >= kSurelyData;
      continue;
    }
    remote_ = io::from_kernel(source, length).value_or(remote_);
    const ByteSpan bytes = ByteSpan(datagram).first(static_cast<std::size_t>(got));
    if (on_packet) on_packet(false, remote_, bytes);
    const BufferRef buffer = buffers_.make(bytes);
    association_->handle_packet(now(), ByteSpan(buffer->data, bytes.size()), buffer);
    take_events();
  }
  association_->handle_burst_end(now());
}

void UdpEndpoint::flush() {
  take_events();
  send_packets();
  take_events();
}

void UdpEndpoint::take_events() {
  sctp::Event event;
  while (association_->poll_event(event)) {
    if (event.kind == sctp::EventKind::kMessage && on_message) {
      on_message(event);
      continue;
    }
    RecordedEvent recorded{.kind = event.kind,
                           .event = event,
                           .payload = {},
                           .ppid = {},
                           .unordered = false,
                           .streams = {}};
    if (event.kind == sctp::EventKind::kMessage) {
      recorded.payload = bytes_of(event.message);
      recorded.ppid = event.message.ppid;
      recorded.unordered = event.message.unordered;
    }
    recorded.streams.assign(event.streams.begin(), event.streams.end());
    recorded.event.streams = {};
    recorded.event.message.pieces = {};
    events.push_back(std::move(recorded));
  }
}

void UdpEndpoint::send_packets() {
  std::array<std::uint8_t, 65536> packet;
  while (const std::size_t bytes = association_->poll_packet(now(), packet)) {
    io::KernelAddress to;
    const socklen_t length = io::to_kernel(remote_, v6_, to);
    if (length == 0) continue;
    if (on_packet) on_packet(true, remote_, ByteSpan(packet).first(bytes));
    if (!is_lost()) ::sendto(socket_, packet.data(), bytes, 0, &to.any, length);
  }
}

std::size_t UdpEndpoint::count(sctp::EventKind kind) const {
  return static_cast<std::size_t>(std::ranges::count(events, kind, &RecordedEvent::kind));
}

const RecordedEvent* UdpEndpoint::last(sctp::EventKind kind) const {
  const auto found = std::ranges::find(events.rbegin(), events.rend(), kind, &RecordedEvent::kind);
  return found == events.rend() ? nullptr : &*found;
}

}  // namespace millrace::test
