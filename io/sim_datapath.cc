// SPDX-License-Identifier: Apache-2.0
#include "io/sim_datapath.h"

#include <algorithm>
#include <cerrno>

#include "io/io_error.h"

namespace millrace::io {

namespace {

constexpr std::size_t kRunBytes = 65536;
// RFC 6335 §6: first the dynamic ports, and when they are taken the registered ones.
constexpr std::uint16_t kFirstDynamicPort = 49152;
constexpr std::uint16_t kFirstPort = 1024;
constexpr std::size_t kPorts = 65536 - kFirstPort;

}  // namespace

SimDatapath::SimDatapath(SimNetwork& network, std::vector<IpAddress> addresses,
                         const SimHostOptions& options)
    : network_(network),
      addresses_(std::move(addresses)),
      options_(options),
      wake_(std::make_shared<WakeState>(-1)),
      next_port_(kFirstDynamicPort),
      rx_(options.rx_buffers),
      splitter_(options.rx_buffers),
      tx_memory_(options.tx_runs * kRunBytes) {
  CHECK(!addresses_.empty() && options_.tx_runs > 0);
  for (std::size_t i = options_.tx_runs; i-- > 0;) {
    free_runs_.push_back(static_cast<std::uint32_t>(i));
  }
  staged_.reserve(options_.tx_datagrams);
  network_.attach(*this);
}

SimDatapath::~SimDatapath() {
  CHECK(set_aside_ == 0);  // A run that was never committed.
  network_.detach(*this);
  for (const std::uint32_t packet : staged_) network_.free_packet(packet);
  for (; !waiting_.empty(); waiting_.pop_front()) network_.free_packet(waiting_.front().packet);
}

bool SimDatapath::owns(const IpAddress& address) const {
  return std::find(addresses_.begin(), addresses_.end(), address) != addresses_.end();
}

Result<SocketId, IoError> SimDatapath::open_socket(const Address& local, const SocketOptions&) {
  const std::string what = "bind udp " + local.to_string();
  if (!local.ip.is_unspecified() && !owns(local.ip)) return Failure(io_error(what, EADDRNOTAVAIL));
  Address bound = local;
  for (std::size_t tries = 0; bound.port == 0 && tries < kPorts; ++tries) {
    if (ports_[next_port_].empty()) bound.port = next_port_;
    next_port_ = next_port_ == 65535 ? kFirstPort : static_cast<std::uint16_t>(next_port_ + 1);
  }
  if (bound.port == 0) {
    return Failure(io_error(what + ", all ports of the simulated host", EADDRINUSE));
  }
  std::vector<std::uint32_t>& same_port = ports_[bound.port];
  for (const std::uint32_t slot : same_port) {
    const IpAddress& other = sockets_[slot].local.ip;
    if (other == bound.ip || other.is_unspecified() || bound.ip.is_unspecified()) {
      return Failure(io_error(what, EADDRINUSE));
    }
  }
  auto place = sockets_.end();
  if (free_sockets_ > 0) {
    place = std::find_if(sockets_.begin(), place, [](const Socket& s) { return !s.open; });
    --free_sockets_;
  } else {
    place = sockets_.emplace(place);
  }
  const auto slot = static_cast<std::uint32_t>(place - sockets_.begin());
  sockets_[slot] = {.id = next_id_++, .local = bound, .open = true};
  same_port.push_back(slot);
  slots_[sockets_[slot].id] = slot;
  return SocketId{sockets_[slot].id};
}

void SimDatapath::close_socket(SocketId id) {
  const auto found = slots_.find(id);
  if (found == slots_.end()) return;
  flush();
  const std::uint32_t slot = found->second;
  std::erase(ports_[sockets_[slot].local.port], slot);
  sockets_[slot].open = false;
  ++free_sockets_;
  slots_.erase(found);
}

const SimDatapath::Socket* SimDatapath::find(SocketId id) const {
  const auto found = slots_.find(id);
  return found == slots_.end() ? nullptr : &sockets_[found->second];
}

const SimDatapath::Socket* SimDatapath::find(const Address& to) const {
  const auto found = ports_.find(to.port);
  if (found == ports_.end()) return nullptr;
  for (const std::uint32_t slot : found->second) {
    const Socket& socket = sockets_[slot];
    // As on a kernel: an IPv6 wildcard takes IPv4 too, an IPv4 one does not take IPv6.
    const bool any = socket.local.ip.is_unspecified() && (socket.local.ip.is_v6() || to.ip.is_v4());
    if (any || socket.local.ip == to.ip) return &socket;
  }
  return nullptr;
}

Address SimDatapath::local_address(SocketId id) const {
  const Socket* const socket = find(id);
  return socket == nullptr ? Address{} : socket->local;
}

bool SimDatapath::accept(std::uint32_t packet, bool& queue_full) {
  const SimNetwork::Packet& arrived = network_.packet(packet);
  const Socket* const socket = find(arrived.to);
  if (socket == nullptr) return false;
  if (waiting_bytes_ + arrived.bytes.size() > options_.queue_bytes) {
    stats_.drop(IoDrop::kRxKernelQueue);
    queue_full = true;
    return false;
  }
  waiting_bytes_ += arrived.bytes.size();
  waiting_.push_back({packet, socket->id});
  wake_->wake();
  return true;
}

std::size_t SimDatapath::rx_burst(std::span<RxView> in) {
  splitter_.done();
  std::size_t n = splitter_.fill(in);
  while (n < in.size() && fill_buffer()) n += splitter_.fill(in.subspan(n));
  return n;
}

bool SimDatapath::fill_buffer() {
  RxBuffer* buffer = nullptr;
  std::size_t used = 0;
  std::uint32_t segment = 0;
  bool ended = false;
  while (!waiting_.empty() && !ended) {
    const Waiting& next = waiting_.front();
    SimNetwork::Packet& packet = network_.packet(next.packet);
    const std::size_t bytes = packet.bytes.size();
    if (buffer == nullptr) {
      buffer = rx_.take();
      if (buffer == nullptr) {
        ++stats_.rx_starved;
        return false;
      }
      buffer->source = packet.from;
      buffer->local = packet.to.ip;
      buffer->socket = next.socket;
      segment = static_cast<std::uint32_t>(bytes);
    } else if (!options_.gro || bytes > segment || used + bytes > kMaxDatagramBytes ||
               buffer->socket != next.socket || buffer->source != packet.from ||
               buffer->local != packet.to.ip) {
      break;
    }
    copy_payload({buffer->data + used, bytes}, packet.bytes, copied_);
    used += bytes;
    ended = bytes < segment;  // GRO: a shorter one is the last.
    ++stats_.rx_datagrams;
    stats_.rx_bytes += bytes;
    waiting_bytes_ -= bytes;
    network_.free_packet(next.packet);
    waiting_.pop_front();
  }
  if (buffer == nullptr) return false;
  ++stats_.rx_buffers;
  splitter_.add(*buffer, static_cast<std::uint32_t>(used), segment);
  return true;
}

TxRun SimDatapath::reserve(const Destination& to, std::size_t segment_bytes, std::size_t n) {
  CHECK(segment_bytes > 0 && segment_bytes <= kMaxDatagramBytes && n > 0);
  const std::size_t wanted = std::min({n, TxRun::kMaxSegments, kMaxDatagramBytes / segment_bytes});
  const std::size_t room = options_.tx_datagrams - staged_.size() - set_aside_;
  const std::size_t count = free_runs_.empty() ? 0 : std::min(wanted, room);
  if (count < wanted) ++stats_.reserve_short;
  if (count == 0) return {};
  const std::uint32_t token = free_runs_.back();
  free_runs_.pop_back();
  set_aside_ += count;
  return TxRun(to, {.base = tx_memory_.data() + token * kRunBytes,
                    .pitch = segment_bytes,
                    .count = count,
                    .token = token});
}

void SimDatapath::commit(TxRun& run) {
  if (run.empty()) return;
  const Destination& to = run.destination();
  const Socket* const socket = find(to.socket);
  if (socket == nullptr) {
    stats_.drop(IoDrop::kTxClosedSocket, run.pushed());
  } else if (to.remote.ip.is_v6() && socket->local.ip.is_v4()) {
    stats_.drop(IoDrop::kTxWrongFamily, run.pushed());
  } else if (run.pushed() > 0) {
    stage(*socket, run);
  }
  set_aside_ -= run.size();
  free_runs_.push_back(run.token());
  run.clear();
}

void SimDatapath::stage(const Socket& socket, const TxRun& run) {
  const Destination& to = run.destination();
  Address from = socket.local;
  if (from.ip.is_unspecified()) {
    // The caller's choice, else the first address of the family.
    from.ip = to.local;
    if (!owns(from.ip)) {
      const auto found =
          std::find_if(addresses_.begin(), addresses_.end(),
                       [&](const IpAddress& own) { return own.family == to.remote.ip.family; });
      if (found == addresses_.end()) return stats_.drop(IoDrop::kTxUnreachable, run.pushed());
      from.ip = *found;
    }
  }
  for (std::size_t i = 0; i < run.pushed(); ++i) {
    if (!run.may_fragment() && network_.refuses(from.ip, to.remote.ip, run.length(i))) {
      stats_.drop(IoDrop::kTxTooBig);
      refused_.push(to.socket, to.remote, run.length(i));
      continue;
    }
    ++stats_.tx_datagrams;
    staged_.push_back(network_.make_packet(from, to.remote, run.written(i)));
    network_.packet(staged_.back()).may_fragment = run.may_fragment();
    stats_.tx_bytes += run.length(i);
  }
  ++stats_.tx_sends;
  if (run.pushed() > 1) ++stats_.tx_gso_sends;
}

void SimDatapath::hear_router(const Address& from, const Address& to, ByteSpan datagram,
                              std::size_t limit) {
  const Socket* const socket = owns(from.ip) ? find(from) : nullptr;
  if (socket == nullptr) return;
  RouterWord word{.local = from.ip, .limit = limit};
  word.set_quote(datagram);
  refused_.push(socket->id, to, datagram.size(), word);
}

void SimDatapath::flush() {
  for (const std::uint32_t packet : staged_) network_.send(packet);
  staged_.clear();
}

}  // namespace millrace::io
