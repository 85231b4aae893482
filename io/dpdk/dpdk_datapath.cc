// SPDX-License-Identifier: Apache-2.0
//
// Receiving, and what begins and ends a datapath.
#include "io/dpdk/dpdk_datapath.h"

#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_ring.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "engine/base/rng.h"
#include "io/io_error.h"
#include "io/monotonic_clock.h"

namespace millrace::io {
namespace {

constexpr std::size_t kPrefetch = 4;  // Frames ahead of the one that is looked at.

rte_mbuf* frame_of(RxBuffer& buffer) {
  return reinterpret_cast<rte_mbuf*>(reinterpret_cast<std::uint8_t*>(&buffer) - sizeof(rte_mbuf));
}

// Both bits are DPDK's "none": the field is not right, and the packet is sound. virtio says so
// of what the kernel beside us sends; a driver may mean no more than that it did not look.
Checksum verdict(std::uint64_t flags, std::uint64_t good, std::uint64_t bad) {
  if ((flags & (good | bad)) == (good | bad)) return Checksum::kUnfinished;
  if ((flags & good) != 0) return Checksum::kGood;
  return (flags & bad) != 0 ? Checksum::kBad : Checksum::kUnknown;
}
static_assert(RTE_MBUF_F_RX_L4_CKSUM_NONE ==
              (RTE_MBUF_F_RX_L4_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_BAD));
static_assert(RTE_MBUF_F_RX_IP_CKSUM_NONE ==
              (RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_IP_CKSUM_BAD));

// Into its place, and read there member by member: see NetLayer::Frame.
void read_flags(const rte_mbuf& frame, RxFlags& flags) {
  flags.ip = verdict(frame.ol_flags, RTE_MBUF_F_RX_IP_CKSUM_GOOD, RTE_MBUF_F_RX_IP_CKSUM_BAD);
  flags.l4 = verdict(frame.ol_flags, RTE_MBUF_F_RX_L4_CKSUM_GOOD, RTE_MBUF_F_RX_L4_CKSUM_BAD);
  flags.stripped_vlan.reset();
  if ((frame.ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED) != 0) flags.stripped_vlan = frame.vlan_tci;
}

// Headers, and where the buffer's own header will be written.
void prefetch(rte_mbuf& frame) {
  rte_prefetch0(rte_pktmbuf_mtod(&frame, void*));
  rte_prefetch0(rte_mbuf_to_priv(&frame));
}

// A frame as it came or will go: one piece, no other owner. So it can go back to its pool
// without the questions that a general one asks.
void free_frames(std::vector<rte_mbuf*>& frames) {
  rte_pktmbuf_free_bulk(frames.data(), static_cast<unsigned>(frames.size()));
  frames.clear();
}

std::vector<IpAddress> own_addresses(const NetLayer& layer) {
  std::vector<IpAddress> addresses;
  for (const IpPrefix& prefix : layer.addresses()) addresses.push_back(prefix.address);
  return addresses;
}

}  // namespace

Result<std::unique_ptr<DpdkDatapath>, IoError> DpdkDatapath::create(std::shared_ptr<DpdkPort> port,
                                                                    std::uint16_t queue,
                                                                    ReadClock clock) {
  CHECK(queue < port->queues());
  NetOptions options = port->options().net;
  // Each queue has neighbours of its own; one of them announces the device.
  options.announces = options.announces && queue == 0;
  SystemRng rng;
  const Time now = clock ? clock() : monotonic_now();
  auto layer = NetLayer::create(options, now, rng);
  if (!layer)
    return Failure(IoError{"dpdk: " + port->name() + ": " + layer.error().message, EINVAL});
  std::unique_ptr<DpdkDatapath> made(new DpdkDatapath(  // tidy: allow, its constructor is private
      std::move(port), queue, std::move(clock), now, std::move(layer).value()));
  if (!made->make_poll_set()) return Failure(io_error("dpdk: epoll", errno));
  return made;
}

DpdkDatapath::DpdkDatapath(std::shared_ptr<DpdkPort> port, std::uint16_t queue, ReadClock clock,
                           Time now, std::unique_ptr<NetLayer> layer)
    : port_(std::move(port)),
      queue_(queue),
      clock_(std::move(clock)),
      wake_(port_->queue(queue).wake),
      layer_(std::move(layer)),
      sockets_(port_->ports(), queue, own_addresses(*layer_)),
      now_(now),
      reply_(layer_->max_frame_bytes()),
      runs_(kRuns),
      large_(kLargeRuns * kLargeBytes),
      revive_due_(now_ + kReviveInterval),
      link_was_up_(port_->link_up()) {
  const std::size_t burst = kBurst + port_->options().rx_buffers;
  handed_to_.resize(port_->queues());
  lent_.reserve(burst);
  homecoming_.reserve(burst);
  queued_.reserve(port_->options().tx_buffers + port_->options().tx_descriptors + 1024);
  for (std::uint32_t i = kRuns; i-- > 0;) free_runs_.push_back(i);
  for (std::uint32_t i = kLargeRuns; i-- > 0;) free_large_.push_back(i);
  // Queues count from places of their own, that nobody can tell.
  SystemRng rng;
  fragment_id_ = static_cast<std::uint16_t>(rng.next());
}

DpdkDatapath::~DpdkDatapath() {
  rx_done();
  CHECK(held_ == 0);  // A reference that is still held would outlive its memory.
  CHECK(free_runs_.size() == kRuns && free_large_.size() == kLargeRuns);  // As would a run.
  while (early_begin_ < early_end_) rte_pktmbuf_free(early_[early_begin_++]);
  while (queued_begin_ < queued_.size()) rte_pktmbuf_free(queued_[queued_begin_++]);
  // What waits for a neighbour in vain.
  for (ParkedFrame parked; layer_->parked() > 0;) {
    layer_->handle_timeout(layer_->next_timeout());
    while (layer_->poll_parked(parked)) rte_pktmbuf_free(reinterpret_cast<rte_mbuf*>(parked.token));
  }
  if (epoll_fd_ >= 0) close(epoll_fd_);
  if (timer_fd_ >= 0) close(timer_fd_);
}

Time DpdkDatapath::read_clock() const { return clock_ ? clock_() : monotonic_now(); }

void DpdkDatapath::start() { register_eal_thread(); }

Result<SocketId, IoError> DpdkDatapath::open_socket(const Address& local,
                                                    const SocketOptions& options) {
  const RssMap* const spread = port_->spread();
  if (spread == nullptr || !options.peer || local.port != 0 || local.ip.is_unspecified()) {
    return sockets_.open(local, options);
  }
  const auto leads_here = [&](std::uint16_t port) {
    return spread->queue_of(*options.peer, Address{local.ip, port}).value_or(queue_) == queue_;
  };
  return sockets_.open(local, options,
                       {.fits = leads_here, .looks = PortSpace::kLooksPerQueue * port_->queues()});
}

bool DpdkDatapath::is_home(SocketId socket, const Address& peer) const {
  const RssMap* const spread = port_->spread();
  const DeviceSocket* const found = sockets_.find(socket);
  if (spread == nullptr || found == nullptr || found->local.ip.is_unspecified()) return true;
  return spread->queue_of(peer, found->local).value_or(queue_) == queue_;
}

std::size_t DpdkDatapath::fetch_handed_over(std::span<rte_mbuf*> frames) {
  rte_ring* const ring = port_->queue(queue_).handed_over;
  if (ring == nullptr) return 0;
  return rte_ring_dequeue_burst(ring, reinterpret_cast<void**>(frames.data()),
                                static_cast<unsigned>(std::min(frames.size(), kHandedOverShare)),
                                nullptr);
}

std::size_t DpdkDatapath::fetch_device(std::span<rte_mbuf*> frames) {
  const BurstScope burst(port_->guard(), queue_);
  // Asked within the scope: who stops the device says so first, then waits for its end.
  if (!port_->running()) [[unlikely]]
    return 0;
  return rte_eth_rx_burst(port_->id(), queue_, frames.data(),
                          static_cast<std::uint16_t>(frames.size()));
}

// What a wait has received comes first, then a share of what other queues' shards have handed
// over: no more than half, so that the device has its turn whatever they do.
std::size_t DpdkDatapath::take_waiting(std::span<RxView> in) {
  std::size_t n = 0;
  if (early_begin_ < early_end_) [[unlikely]] {
    const std::size_t count = std::min(room(in.size()), early_end_ - early_begin_);
    n = take(std::span(early_).subspan(early_begin_, count), early_second_hand_, in);
    early_begin_ += count;
  }
  if (port_->queue(queue_).handed_over == nullptr) return n;
  std::array<rte_mbuf*, kHandedOverShare> frames;
  const std::size_t left = room(in.size() - n);
  const std::size_t asked = std::min({frames.size(), left, std::max<std::size_t>(left / 2, 1)});
  const std::size_t got = fetch_handed_over(std::span(frames).first(asked));
  return n + take(std::span(frames).first(got), true, in.subspan(n));
}

std::size_t DpdkDatapath::rx_burst(std::span<RxView> in) {
  rx_done();
  // The real one was read at the end of the turn before, when nothing waited for it.
  if (clock_) now_ = clock_();
  std::size_t n = take_waiting(in);
  std::array<rte_mbuf*, kBurst> frames;
  while (n < in.size()) {
    const std::size_t asked = std::min(frames.size(), room(in.size() - n));
    if (asked == 0) {
      ++stats_.rx_starved;
      break;
    }
    const std::size_t got = fetch_device(std::span(frames).first(asked));
    n += take(std::span(frames).first(got), false, in.subspan(n));
    if (got < asked) break;
  }
  if (handed_over_) [[unlikely]]
    wake_others();
  return n;
}

std::size_t DpdkDatapath::room(std::size_t wanted) const {
  return std::min(wanted, port_->options().rx_buffers - held_);
}

std::size_t DpdkDatapath::take(std::span<rte_mbuf*> frames, bool second_hand,
                               std::span<RxView> in) {
  std::size_t n = 0;
  RxFlags flags;
  flags.second_hand = second_hand;
  RxFrame received;
  for (std::size_t i = 0; i < std::min(kPrefetch, frames.size()); ++i) prefetch(*frames[i]);
  for (std::size_t i = 0; i < frames.size(); ++i) {
    if (i + kPrefetch < frames.size()) {
      prefetch(*frames[i + kPrefetch]);
    }
    read_flags(*frames[i], flags);
    if (accept(frames[i], flags, received, in[n])) ++n;
  }
  return n;
}

// True: `view` is a datagram for a socket of this shard. Else the frame is done with. `received`
// is room to tell of the frame in.
bool DpdkDatapath::accept(rte_mbuf* frame, const RxFlags& flags, RxFrame& received, RxView& view) {
  // A device writes no more than a buffer holds; a peer's shared memory may claim more.
  if (frame->nb_segs != 1) [[unlikely]] {
    stats_.drop(IoDrop::kRxTruncated);
    rte_pktmbuf_free(frame);
    return false;
  }
  const MutableByteSpan bytes{rte_pktmbuf_mtod(frame, std::uint8_t*), frame->data_len};
  const RxVerdict verdict = layer_->handle_frame(now_, bytes, flags, reply_, received);
  if (verdict == RxVerdict::kDatagram) [[likely]]
    return deliver(frame, received, view);
  if (verdict == RxVerdict::kReply) queue_control(ByteSpan(reply_).first(received.reply_bytes));
  if (verdict == RxVerdict::kPathMtu) hear_router(received.path_mtu);
  if (received.concerns_all && !flags.second_hand && port_->queues() > 1) tell_others(frame);
  rte_pktmbuf_free(frame);
  return false;
}

bool DpdkDatapath::deliver(rte_mbuf* frame, const RxFrame& received, RxView& view) {
  const DeviceSocket* const socket = sockets_.find(received.local);
  if (socket == nullptr) [[unlikely]] {
    hand_over(frame, received.local.port);
    return false;
  }
  auto& buffer = *static_cast<RxBuffer*>(rte_mbuf_to_priv(frame));
  buffer.home = this;
  buffer.data = received.payload.data();
  buffer.capacity =
      static_cast<std::uint32_t>(sizeof(rte_mbuf) + sizeof(RxBuffer)) + frame->buf_len;
  buffer.refs = 1;
  buffer.index = 0;
  buffer.ecn = received.tos & 3;
  // A shard whose buffers are all held is deaf until some come home.
  buffer.scarce = held_ >= port_->options().rx_buffers / 2;
  buffer.socket = socket->id;
  buffer.source = received.source;
  buffer.local = received.local.ip;
  view = {received.payload.data(), static_cast<std::uint32_t>(received.payload.size()), &buffer};
  lent_.push_back(&buffer);
  ++held_;
  ++stats_.rx_datagrams;
  ++stats_.rx_buffers;
  stats_.rx_bytes += received.payload.size();
  return true;
}

void DpdkDatapath::hand_over(rte_mbuf* frame, std::uint16_t port) {
  const std::uint16_t owner = port_->ports().owner(port);
  if (owner < port_->queues() && owner != queue_) {
    if (enqueue(owner, frame)) {
      ++stats_.rx_handed_over;
      return;
    }
    stats_.drop(IoDrop::kRxKernelQueue);
  } else {
    stats_.drop(IoDrop::kRxClosedSocket);
  }
  rte_pktmbuf_free(frame);
}

// Whoever has the socket passes it on; the other queues have copies.
void DpdkDatapath::hear_router(const PathMtu& word) {
  const DeviceSocket* const socket = sockets_.find(word.local);
  if (socket == nullptr) return;
  RouterWord told{.local = word.local.ip, .limit = word.limit};
  told.set_quote(word.payload);
  if (!refused_.push(socket->id, word.remote, word.bytes, told)) {
    layer_->count_drop(NetDrop::kRxPathMtuLimit, 1);
  }
}

// Neighbours answer to whichever queue the device chose; every shard has asked.
void DpdkDatapath::tell_others(const rte_mbuf* frame) {
  for (std::uint16_t i = 0; i < port_->queues(); ++i) {
    if (i == queue_) continue;
    rte_mbuf* const copy = rte_pktmbuf_copy(frame, port_->queue(queue_).rx_pool, 0, UINT32_MAX);
    if (copy != nullptr && enqueue(i, copy)) continue;
    stats_.drop(IoDrop::kRxKernelQueue);
    rte_pktmbuf_free(copy);
  }
}

bool DpdkDatapath::enqueue(std::uint16_t owner, rte_mbuf* frame) {
  if (rte_ring_enqueue(port_->queue(owner).handed_over, frame) != 0) return false;
  handed_to_[owner] = true;
  handed_over_ = true;
  return true;
}

// Once a burst: nothing else tells a shard that sleeps of what came by way of another.
void DpdkDatapath::wake_others() {
  for (std::uint16_t i = 0; i < port_->queues(); ++i) {
    if (std::exchange(handed_to_[i], false)) port_->queue(i).wake->wake();
  }
  handed_over_ = false;
}

void DpdkDatapath::rx_done() {
  // A large burst has pushed its first buffers' headers out of the nearest cache.
  constexpr std::size_t kAhead = 8;
  for (std::size_t i = 0; i < lent_.size(); ++i) {
    RxBuffer* const buffer = lent_[i];
    if (i + kAhead < lent_.size()) {
      rte_prefetch0(lent_[i + kAhead]);
      rte_prefetch0(frame_of(*lent_[i + kAhead]));
    }
    DCHECK(buffer->refs > 0);
    if (--buffer->refs == 0) homecoming_.push_back(frame_of(*buffer));
  }
  lent_.clear();
  held_ -= homecoming_.size();
  if (!homecoming_.empty()) free_frames(homecoming_);
}

void DpdkDatapath::release(RxBuffer& buffer) {
  DCHECK(held_ > 0);
  --held_;
  rte_pktmbuf_free_seg(frame_of(buffer));
}

}  // namespace millrace::io
