// SPDX-License-Identifier: Apache-2.0
#include "test/usrsctp/udp_endpoint.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "engine/base/check.h"
#include "io/monotonic_clock.h"

namespace millrace::test {
namespace {

constexpr ssize_t kSurelyData = 400;
constexpr int kSocketBytes = 4 << 20;
constexpr int kBurst = 64;
constexpr Duration kLongestWait = milliseconds(50);

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

}  // namespace

UdpEndpoint::UdpEndpoint(sctp::Options options, std::uint16_t port, std::uint64_t seed)
    : options_(options), rng_(seed), socket_(::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0)) {
  options_.extensions.zero_checksum = false;
  const sockaddr_in local = loopback(port);
  CHECK(socket_ >= 0);
  CHECK(::bind(socket_, reinterpret_cast<const sockaddr*>(&local), sizeof(local)) == 0);
  for (const int option : {SO_RCVBUF, SO_SNDBUF}) {
    ::setsockopt(socket_, SOL_SOCKET, option, &kSocketBytes, sizeof(kSocketBytes));
  }
  begin_anew();
}

UdpEndpoint::~UdpEndpoint() {
  association_.reset();
  ::close(socket_);
}

void UdpEndpoint::begin_anew() { association_.emplace(options_, rng_, mac_, pool_); }

std::uint16_t UdpEndpoint::port() const {
  sockaddr_in local{};
  socklen_t size = sizeof(local);
  CHECK(::getsockname(socket_, reinterpret_cast<sockaddr*>(&local), &size) == 0);
  return ntohs(local.sin_port);
}

void UdpEndpoint::set_remote(std::uint16_t port) { remote_ = port; }

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
    sockaddr_in source{};
    socklen_t size = sizeof(source);
    const ssize_t got = ::recvfrom(socket_, datagram.data(), datagram.size(), 0,
                                   reinterpret_cast<sockaddr*>(&source), &size);
    if (got < 0) break;
    if (is_lost()) {
      data_packets_lost += got >= kSurelyData;
      continue;
    }
    remote_ = ntohs(source.sin_port);
    const ByteSpan bytes = ByteSpan(datagram).first(static_cast<std::size_t>(got));
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
    if (remote_ == 0 || is_lost()) continue;
    const sockaddr_in to = loopback(remote_);
    ::sendto(socket_, packet.data(), bytes, 0, reinterpret_cast<const sockaddr*>(&to), sizeof(to));
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
