// SPDX-License-Identifier: Apache-2.0
#include "bench/impair/proxy.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <utility>

#include "engine/reference/hello.h"
#include "io/io_error.h"

namespace millrace::impair {
namespace {

constexpr std::uint32_t kSocketBuffer = 16u << 20;
constexpr std::uint64_t kListenerTag = UINT64_MAX;
constexpr std::uint64_t kStopTag = UINT64_MAX - 1;
// A sleep is dearer than so much spinning, and late by as much.
constexpr Duration kSpin = microseconds(60);

Impairment reseeded(Impairment impairment) {
  impairment.seed = impairment.seed * 0x9e3779b97f4a7c15 + 1;
  return impairment;
}

}  // namespace

Result<std::unique_ptr<Proxy>, io::IoError> Proxy::create(const ProxyOptions& options,
                                                          const RouteBook& routes) {
  auto listener = reference::RawSocket::listen(options.listen, kSocketBuffer);
  if (!listener) return Failure(listener.error());
  const int epoll_fd = ::epoll_create1(EPOLL_CLOEXEC);
  if (epoll_fd < 0) return Failure(io::io_error("epoll", errno));
  std::unique_ptr<Proxy> proxy(new Proxy(options, routes, std::move(listener).value(), epoll_fd));
  if (!proxy->watch(proxy->listener_.fd(), kListenerTag)) {
    return Failure(io::io_error("epoll", errno));
  }
  return proxy;
}

Proxy::Proxy(const ProxyOptions& options, const RouteBook& routes, reference::RawSocket listener,
             int epoll_fd)
    : options_(options),
      routes_(routes),
      listener_(std::move(listener)),
      epoll_fd_(epoll_fd),
      to_server_(options.impairment),
      to_client_(reseeded(options.impairment)),
      memory_(kBatch * kBufferBytes),
      sends_(kSends),
      send_messages_(kSends) {
  flows_.reserve(options.max_flows);
  due_.reserve(kSends * kMaxSegments);
  for (std::size_t i = 0; i < kBatch; ++i) {
    vectors_[i] = {.iov_base = memory_.data() + i * kBufferBytes, .iov_len = kBufferBytes};
    msghdr& header = messages_[i].msg_hdr;
    header.msg_iov = &vectors_[i];
    header.msg_iovlen = 1;
    header.msg_name = &names_[i];
    header.msg_control = controls_[i].data();
  }
}

Proxy::~Proxy() { ::close(epoll_fd_); }

bool Proxy::watch(int fd, std::uint64_t tag) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = tag;
  return ::epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &event) == 0;
}

void Proxy::run(int stop_fd) {
  CHECK(watch(stop_fd, kStopTag));
  while (wait()) {
    const Time now = reference::monotonic_now();
    deliver(to_server_, true, now);
    deliver(to_client_, false, now);
  }
}

bool Proxy::wait() {
  const Time due = std::min(to_server_.next_timeout(), to_client_.next_timeout());
  const Duration left = due == kNever ? Duration(seconds(1)) : due - reference::monotonic_now();
  const Duration sleep =
      left > kSpin ? std::min<Duration>(left - kSpin / 2, seconds(1)) : Duration{};
  const timespec limit{.tv_sec = 0, .tv_nsec = std::min<long>(sleep.count(), 999'999'999)};
  std::array<epoll_event, 64> events;
  const int ready = ::epoll_pwait2(epoll_fd_, events.data(), events.size(), &limit, nullptr);
  for (int i = 0; i < ready; ++i) {
    const std::uint64_t tag = events[static_cast<std::size_t>(i)].data.u64;
    if (tag == kStopTag) return false;
    if (tag == kListenerTag) {
      receive(listener_.fd(), kNoFlow);
    } else if (tag < flows_.size() && flows_[tag].socket) {
      receive(flows_[tag].socket->fd(), static_cast<std::uint32_t>(tag));
    }
  }
  return true;
}

// From clients when `flow` is kNoFlow, otherwise from that flow's server.
void Proxy::receive(int fd, std::uint32_t flow) {
  for (mmsghdr& message : messages_) {
    message.msg_hdr.msg_controllen = io::kRxControlBytes;
    message.msg_hdr.msg_namelen = sizeof(io::KernelAddress);
  }
  const int got = ::recvmmsg(fd, messages_.data(), kBatch, MSG_DONTWAIT, nullptr);
  const Time now = reference::monotonic_now();
  for (int n = 0; n < got; ++n) {
    const auto i = static_cast<std::size_t>(n);
    const msghdr& header = messages_[i].msg_hdr;
    ByteSpan bytes(static_cast<const std::uint8_t*>(vectors_[i].iov_base), messages_[i].msg_len);
    if (bytes.empty()) continue;
    const std::uint32_t segment =
        io::read_control(controls_[i].data(), header.msg_controllen).segment_bytes;
    const std::size_t pitch = segment == 0 ? bytes.size() : segment;
    ImpairedPath& path = flow == kNoFlow ? to_server_ : to_client_;
    const std::uint32_t owner =
        flow == kNoFlow
            ? flow_of(names_[i], header.msg_namelen, bytes.first(std::min(pitch, bytes.size())))
            : flow;
    if (owner == kNoFlow) {
      ++counts_.refused;
      continue;
    }
    while (!bytes.empty()) {
      const std::size_t length = std::min(pitch, bytes.size());
      accept(bytes.first(length), owner, path, now);
      bytes = bytes.subspan(length);
    }
  }
}

void Proxy::accept(ByteSpan datagram, std::uint32_t flow, ImpairedPath& path, Time now) {
  const std::uint32_t slot = pool_.put(datagram);
  if (slot == PacketPool::kNone) {
    ++counts_.no_memory;
    return;
  }
  const Parcel parcel{flow, slot, static_cast<std::uint32_t>(datagram.size())};
  const unsigned copies = path.push(now, parcel);
  if (copies == 0) pool_.release(slot);
  if (copies == 2) pool_.hold(slot);
}

std::uint32_t Proxy::flow_of(const io::KernelAddress& name, socklen_t length, ByteSpan datagram) {
  // RFC 7983 §7: a first byte of 0 to 3 is STUN.
  const bool check = routes_.learns() && datagram[0] <= 3;
  const std::string_view key(reinterpret_cast<const char*>(&name), length);
  if (key_flow_ == kNoFlow || key != key_) {
    key_ = key;
    const auto found = by_client_.find(key_);
    key_flow_ = found == by_client_.end() ? kNoFlow : found->second;
  }
  if (key_flow_ != kNoFlow && !check) return key_flow_;
  const auto server = routes_.route(datagram);
  if (!server) return key_flow_;
  if (key_flow_ != kNoFlow) {
    // The port of an earlier session's client, used again.
    Flow& flow = flows_[key_flow_];
    if (flow.server != *server && !connect(flow, key_flow_, *server)) return kNoFlow;
    return key_flow_;
  }
  const auto client = io::from_kernel(name, length);
  if (!client || flows_.size() >= options_.max_flows) return kNoFlow;
  const auto id = static_cast<std::uint32_t>(flows_.size());
  Flow& flow = flows_.emplace_back();
  flow.client = *client;
  flow.name = name;
  flow.name_length = length;
  if (!connect(flow, id, *server)) {
    flows_.pop_back();
    return kNoFlow;
  }
  ++counts_.flows;
  key_flow_ = id;
  by_client_.emplace(key_, id);
  return id;
}

bool Proxy::connect(Flow& flow, std::uint32_t id, const Address& server) {
  auto socket = reference::RawSocket::connect(server, kSocketBuffer);
  if (!socket || !watch(socket->fd(), id)) return false;
  flow.server = server;
  flow.socket = std::make_unique<reference::RawSocket>(std::move(socket).value());
  return true;
}

void Proxy::deliver(ImpairedPath& path, bool to_server, Time now) {
  Parcel parcel;
  while (path.poll(now, parcel)) {
    if (append(parcel)) continue;
    flush(to_server);
    CHECK(append(parcel));
  }
  flush(to_server);
}

// Neighbours of one flow leave as one GSO send as long as they have one size; a shorter
// one may end it.
bool Proxy::append(const Parcel& parcel) {
  const iovec vector{.iov_base = pool_.data(parcel.slot), .iov_len = parcel.bytes};
  if (open_sends_ > 0) {
    Send& last = sends_[open_sends_ - 1];
    const std::size_t pitch = last.vectors[0].iov_len;
    if (!last.closed && last.flow == parcel.flow && last.count < kMaxSegments &&
        parcel.bytes <= pitch && last.bytes + parcel.bytes <= 65'000) {
      last.vectors[last.count++] = vector;
      last.bytes += parcel.bytes;
      last.closed = parcel.bytes < pitch;
      due_.push_back(parcel.slot);
      return true;
    }
  }
  if (open_sends_ == kSends) return false;
  Send& send = sends_[open_sends_++];
  send.vectors[0] = vector;
  send.count = 1;
  send.bytes = parcel.bytes;
  send.flow = parcel.flow;
  send.closed = false;
  due_.push_back(parcel.slot);
  return true;
}

void Proxy::flush(bool to_server) {
  std::size_t at = 0;
  for (std::size_t i = 0; i < open_sends_; ++i) {
    Send& send = sends_[i];
    msghdr& header = send_messages_[i].msg_hdr;
    header = {};
    header.msg_iov = send.vectors.data();
    header.msg_iovlen = send.count;
    if (send.count > 1) {
      header.msg_control = send.control.data();
      header.msg_controllen =
          io::write_control(send.control.data(), send.vectors[0].iov_len, {}, false);
    }
    if (!to_server) {
      header.msg_name = &flows_[send.flow].name;
      header.msg_namelen = flows_[send.flow].name_length;
    }
  }
  const auto fd_of = [&](const Send& send) {
    return to_server ? flows_[send.flow].socket->fd() : listener_.fd();
  };
  while (at < open_sends_) {
    std::size_t end = at + 1;
    while (end < open_sends_ && fd_of(sends_[end]) == fd_of(sends_[at])) ++end;
    const int sent = ::sendmmsg(fd_of(sends_[at]), send_messages_.data() + at,
                                static_cast<unsigned>(end - at), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0) {
      at += static_cast<std::size_t>(sent);
    } else {
      counts_.unsent += sends_[at].count;
      ++at;
    }
  }
  for (const std::uint32_t slot : due_) pool_.release(slot);
  due_.clear();
  open_sends_ = 0;
}

ProxyCounts Proxy::counts() const {
  ProxyCounts counts = counts_;
  counts.to_server = to_server_.counts();
  counts.to_client = to_client_.counts();
  return counts;
}

}  // namespace millrace::impair
