// SPDX-License-Identifier: Apache-2.0
#include "io/tx_pool.h"

#include <netinet/in.h>

#include <algorithm>
#include <cerrno>

#include "io/direct_calls.h"

namespace millrace::io {

namespace {

IoDrop drop_reason(int error) {
  switch (error) {
    case EAGAIN:
    case ENOBUFS:
    case ENOMEM:
      return IoDrop::kTxNoBuffer;
    case EMSGSIZE:
      return IoDrop::kTxTooBig;
    case ECONNREFUSED:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case EHOSTDOWN:
    case ENETDOWN:
    case EADDRNOTAVAIL:
      return IoDrop::kTxUnreachable;
    case EPERM:
    case EACCES:
      return IoDrop::kTxNotPermitted;
    case EAFNOSUPPORT:
      return IoDrop::kTxWrongFamily;
    case EBADF:
    case ECANCELED:
      return IoDrop::kTxClosedSocket;
    default:
      return IoDrop::kTxError;
  }
}

bool is_transient(int error) { return error == EAGAIN || error == ENOBUFS || error == ENOMEM; }

// The kernel refuses a GSO send with EIO where the device cannot checksum, with EINVAL
// where it knows no GSO (or finds the segment too long).
bool may_be_lack_of_gso(int error) {
  return error == EIO || error == EINVAL || error == EOPNOTSUPP || error == ENOPROTOOPT;
}

}  // namespace

int TxSend::send_as_is() const {
  constexpr int kFlags = MSG_DONTWAIT | MSG_NOSIGNAL;
  const bool plain = header.msg_iovlen == 1 && header.msg_controllen == 0;
  const ssize_t sent = plain ? send_to(fd, vectors[0].iov_base, vectors[0].iov_len, kFlags,
                                       remote.any, header.msg_namelen)
                             : send_message(fd, header, kFlags);
  return sent < 0 ? -errno : static_cast<int>(sent);
}

// No control message says so of one datagram, so the socket is changed for as long as it takes.
// What other threads of the kernel send on it meanwhile (io_uring) may go without DF as well.
// RFC 8200 §5: over IPv6 the sender alone fragments, and 1280 bytes pass everywhere.
int TxSend::send_in_fragments() const {
  const auto set = [this](int level, int name, int value) {
    setsockopt(fd, level, name, &value, sizeof(value));
  };
  const bool v6 = remote.any.sa_family == AF_INET6;
  set(IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT);
  if (v6) {
    set(IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DONT);
    set(IPPROTO_IPV6, IPV6_MTU, 1280);
  }
  const int result = send_as_is();
  if (v6) {
    set(IPPROTO_IPV6, IPV6_MTU, 0);
    set(IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE);
  }
  set(IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE);
  return result;
}

TxPool::TxPool(std::size_t chunks, bool gso)
    : memory_(chunks * kChunkBytes),
      send_memory_(chunks * TxRun::kMaxSegments * sizeof(TxSend)),
      sends_(reinterpret_cast<TxSend*>(send_memory_.data())),
      chunks_(chunks),
      queue_(chunks * TxRun::kMaxSegments),
      gso_(gso) {
  CHECK(chunks > 0 && chunks <= 1000);
  const std::size_t sends = chunks * TxRun::kMaxSegments;
  for (std::size_t i = chunks; i-- > 0;) free_chunks_.push_back(static_cast<std::uint16_t>(i));
  free_sends_.reserve(sends);
  for (std::size_t i = sends; i-- > 0;) free_sends_.push_back(static_cast<std::uint16_t>(i));
}

TxPool::~TxPool() { CHECK(set_aside_ == 0); }  // A run that was never committed.

bool TxPool::next_chunk() {
  if (free_chunks_.empty()) return false;
  const std::uint16_t old = current_;
  current_ = free_chunks_.back();
  free_chunks_.pop_back();
  chunks_[current_] = {.used = 0, .holders = 1};  // Being current is one hold.
  if (old != kNoChunk) release_chunk(old);
  return true;
}

void TxPool::release_chunk(std::uint16_t chunk) {
  Chunk& held = chunks_[chunk];
  DCHECK(held.holders > 0);
  --held.holders;
  if (held.holders == 0) {
    free_chunks_.push_back(chunk);
  } else if (held.holders == 1 && chunk == current_) {
    held.used = 0;  // Nobody uses it: start again, in memory that is still cached.
  }
}

TxRun TxPool::reserve(const Destination& to, std::size_t segment_bytes, std::size_t n,
                      IoStats& stats) {
  CHECK(segment_bytes > 0 && segment_bytes <= kMaxDatagramBytes && n > 0);
  const std::size_t most = std::min(TxRun::kMaxSegments, kMaxDatagramBytes / segment_bytes);
  const std::size_t wanted = std::min(n, most);
  std::size_t count = std::min(wanted, free_sends_.size() - set_aside_);
  if (current_ == kNoChunk && !next_chunk()) count = 0;
  if (count > 0) {
    const std::size_t room = (kChunkBytes - chunks_[current_].used) / segment_bytes;
    if (room < count && !next_chunk()) count = std::min(count, room);
  }
  if (count < wanted) ++stats.reserve_short;
  if (count == 0) return {};

  Chunk& chunk = chunks_[current_];
  std::uint8_t* const base = memory_.data() + current_ * kChunkBytes + chunk.used;
  chunk.used += static_cast<std::uint32_t>(count * segment_bytes);
  // Runs begin on a cache line of their own.
  chunk.used = std::min<std::uint32_t>((chunk.used + 63) & ~63u, kChunkBytes);
  ++chunk.holders;
  set_aside_ += count;
  return TxRun(to, {.base = base, .pitch = segment_bytes, .count = count, .token = current_});
}

std::size_t TxPool::group(const TxRun& run, std::size_t first) const {
  // The kernel segments nothing that it has to fragment.
  if (!gso_ || run.may_fragment()) return 1;
  const std::size_t bytes = run.length(first);
  std::size_t n = first + 1;
  while (n < run.pushed() && run.length(n) == bytes) ++n;
  // The last one may be shorter.
  if (n < run.pushed() && run.length(n) < bytes) ++n;
  return n - first;
}

void TxPool::commit(TxRun& run, SocketTable& sockets, IoStats& stats) {
  if (run.empty()) return;
  const auto chunk = static_cast<std::uint16_t>(run.token());
  DCHECK(set_aside_ >= run.size());
  set_aside_ -= run.size();
  const KernelSocket* const socket = sockets.find(run.destination().socket);
  if (socket == nullptr) {
    stats.drop(IoDrop::kTxClosedSocket, run.pushed());
  } else {
    for (std::size_t first = 0; first < run.pushed();) {
      const std::size_t count = group(run, first);
      queue_send(run, first, count, *socket, stats);
      first += count;
    }
  }
  run.clear();
  release_chunk(chunk);
}

void TxPool::queue_send(const TxRun& run, std::size_t first, std::size_t count,
                        const KernelSocket& socket, IoStats& stats) {
  const Destination& to = run.destination();
  DCHECK(!free_sends_.empty());
  const std::uint16_t slot = free_sends_.back();
  TxSend& send = sends_[slot];
  send.header = {};
  send.header.msg_namelen = to_kernel(to.remote, socket.v6, send.remote);
  if (send.header.msg_namelen == 0) return stats.drop(IoDrop::kTxWrongFamily, count);
  free_sends_.pop_back();
  send.header.msg_name = &send.remote;
  send.socket = socket.id;
  send.fd = socket.fd;
  send.bytes = 0;
  send.segment_bytes = static_cast<std::uint32_t>(run.length(first));
  send.segments = static_cast<std::uint16_t>(count);
  send.chunk = static_cast<std::uint16_t>(run.token());
  send.tries = 0;
  send.may_fragment = run.may_fragment();

  std::size_t vectors = 0;
  const std::uint8_t* end = nullptr;
  for (std::size_t i = first; i < first + count; ++i) {
    const MutableByteSpan bytes = run.written(i);
    if (bytes.data() == end) {
      send.vectors[vectors - 1].iov_len += bytes.size();
    } else {
      send.vectors[vectors++] = {bytes.data(), bytes.size()};
    }
    end = bytes.data() + bytes.size();
    send.bytes += static_cast<std::uint32_t>(bytes.size());
  }
  send.header.msg_iov = send.vectors.data();
  send.header.msg_iovlen = vectors;

  const std::size_t control = write_control(send.control.data(), count > 1 ? send.segment_bytes : 0,
                                            socket.wildcard ? to.local : IpAddress{}, socket.v6);
  if (control > 0) {
    send.header.msg_control = send.control.data();
    send.header.msg_controllen = control;
  }
  ++chunks_[send.chunk].holders;
  queue_.push_back(slot);
}

bool TxPool::complete(std::uint16_t slot, int result, IoStats& stats) {
  TxSend& send = sends_[slot];
  if (result >= 0) {
    stats.tx_datagrams += send.segments;
    stats.tx_bytes += send.bytes;
    ++stats.tx_sends;
    if (send.segments > 1) ++stats.tx_gso_sends;
  } else if (is_transient(-result) && ++send.tries < kMaxTries) {
    ++stats.tx_retries;
    queue_.push_back(slot);
    return true;
  } else if (send.segments > 1 && may_be_lack_of_gso(-result)) {
    send_singly(send, stats);
  } else {
    note_failure(send, -result, send.segments, stats);
  }
  free_sends_.push_back(slot);
  release_chunk(send.chunk);
  return false;
}

void TxPool::note_failure(const TxSend& send, int error, std::size_t datagrams, IoStats& stats) {
  const IoDrop reason = drop_reason(error);
  stats.drop(reason, datagrams);
  if (reason != IoDrop::kTxTooBig) return;
  const std::optional<Address> remote = from_kernel(send.remote, send.header.msg_namelen);
  if (remote) refused_.push(send.socket, *remote, send.segment_bytes);
}

void TxPool::discard_socket(SocketId socket, IoStats& stats) {
  for (std::size_t left = queue_.size(); left > 0; --left) {
    const std::uint16_t slot = queue_.front();
    queue_.pop_front();
    if (sends_[slot].socket != socket) {
      queue_.push_back(slot);
      continue;
    }
    stats.drop(IoDrop::kTxClosedSocket, sends_[slot].segments);
    free_sends_.push_back(slot);
    release_chunk(sends_[slot].chunk);
  }
}

void TxPool::send_singly(const TxSend& send, IoStats& stats) {
  msghdr header = send.header;
  // Everything but the GSO size, which write_control puts first.
  constexpr std::size_t kGsoControl = CMSG_SPACE(sizeof(std::uint16_t));
  header.msg_controllen -= kGsoControl;
  header.msg_control = header.msg_controllen == 0
                           ? nullptr
                           : const_cast<std::uint8_t*>(send.control.data()) + kGsoControl;
  header.msg_iovlen = 1;
  bool all_sent = true;
  for (std::size_t v = 0; v < send.header.msg_iovlen; ++v) {
    auto* at = static_cast<std::uint8_t*>(send.vectors[v].iov_base);
    for (std::size_t left = send.vectors[v].iov_len; left > 0;) {
      iovec one{at, std::min<std::size_t>(left, send.segment_bytes)};
      header.msg_iov = &one;
      ++stats.syscalls;
      if (sendmsg(send.fd, &header, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) {
        ++stats.tx_datagrams;
        ++stats.tx_sends;
        stats.tx_bytes += one.iov_len;
      } else {
        note_failure(send, errno, 1, stats);
        all_sent = false;
      }
      at += one.iov_len;
      left -= one.iov_len;
    }
  }
  // One by one they pass, so it was GSO that the kernel refused. Do without.
  if (all_sent) {
    gso_ = false;
    stats.gso_unavailable = true;
  }
}

}  // namespace millrace::io
