// SPDX-License-Identifier: Apache-2.0
//
// Sending: runs of mbufs, headers in front of what the owner wrote, and the queue to the
// device.
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include <algorithm>

#include "io/dpdk/dpdk_datapath.h"
#include "io/monotonic_clock.h"

namespace millrace::io {
namespace {

static_assert(RTE_PKTMBUF_HEADROOM >= kMaxHeaderBytes);

// Tokens of runs that no frame can hold begin here.
constexpr std::uint32_t kLargeToken = 1u << 16;

rte_mbuf* frame_of(FrameToken token) { return reinterpret_cast<rte_mbuf*>(token); }
FrameToken token_of(rte_mbuf* frame) { return reinterpret_cast<FrameToken>(frame); }

// UDP bytes of a queued frame; 0 for one of the network layer's own.
std::uint32_t payload_of(const rte_mbuf& frame) {
  return frame.l3_len == 0
             ? 0
             : frame.pkt_len - frame.l2_len - frame.l3_len - static_cast<std::uint32_t>(kUdpBytes);
}

// Where a datagram's bytes begin in a buffer, so that the frame, headers in front of them, begins
// with a cache line: a memif copies it from there by whole registers.
std::uint16_t payload_at(std::size_t header_bytes) {
  constexpr std::size_t kRoom = RTE_PKTMBUF_HEADROOM;
  return static_cast<std::uint16_t>(kRoom - (kRoom - header_bytes) % RTE_CACHE_LINE_SIZE);
}

IoDrop io_reason(NetDrop refusal) {
  return refusal == NetDrop::kTxTooBig ? IoDrop::kTxTooBig : IoDrop::kTxUnreachable;
}

}  // namespace

// All or nothing is what the pool gives; where it runs low, less will do.
std::size_t DpdkDatapath::allocate(Run& run, std::size_t wanted) {
  for (std::size_t n = wanted; n > 0; n /= 2) {
    if (rte_pktmbuf_alloc_bulk(port_->queue(queue_).tx_pool, run.frames.data(),
                               static_cast<unsigned>(n)) == 0) {
      return n;
    }
  }
  return 0;
}

TxRun DpdkDatapath::reserve(const Destination& to, std::size_t segment_bytes, std::size_t n) {
  CHECK(segment_bytes > 0 && segment_bytes <= kMaxDatagramBytes && n > 0);
  const std::size_t wanted = std::min({n, TxRun::kMaxSegments, kMaxDatagramBytes / segment_bytes});
  if (segment_bytes > port_->frame_room()) return reserve_large(to, segment_bytes, wanted);
  std::size_t count = 0;
  if (!free_runs_.empty()) count = allocate(runs_[free_runs_.back()], wanted);
  if (count < wanted) ++stats_.reserve_short;
  if (count == 0) return {};
  const std::uint32_t token = free_runs_.back();
  free_runs_.pop_back();
  Run& run = runs_[token];
  const std::uint16_t at = payload_at(layer_->header_bytes(to.remote.ip));
  for (std::size_t i = 0; i < count; ++i) {
    run.frames[i]->data_off = at;
    run.data[i] = rte_pktmbuf_mtod(run.frames[i], std::uint8_t*);
  }
  return TxRun(to,
               {.slots = run.data.data(), .pitch = segment_bytes, .count = count, .token = token});
}

// What is larger than any frame cannot leave, unless less is written than was asked for.
TxRun DpdkDatapath::reserve_large(const Destination& to, std::size_t segment_bytes, std::size_t n) {
  if (free_large_.empty()) {
    ++stats_.reserve_short;
    return {};
  }
  const std::uint32_t slot = free_large_.back();
  free_large_.pop_back();
  return TxRun(to, {.base = large_.data() + slot * kLargeBytes,
                    .pitch = segment_bytes,
                    .count = n,
                    .token = kLargeToken + slot});
}

// RFC 6864 §4.3: what may be fragmented has an id of its own, for as long as pieces may be about.
std::uint16_t DpdkDatapath::next_fragment_id() {
  if (++fragment_id_ == 0) ++fragment_id_;
  return fragment_id_;
}

const NextHop* DpdkDatapath::find_hop(const DeviceSocket& socket, const Destination& to,
                                      std::size_t datagrams) {
  const IpAddress& bound = socket.local.ip;
  if (to.remote.ip.family == IpAddress::Family::kNone || (bound.is_v4() && to.remote.ip.is_v6()) ||
      (bound.is_v6() && !bound.is_unspecified() && to.remote.ip.is_v4())) {
    stats_.drop(IoDrop::kTxWrongFamily, datagrams);
    return nullptr;
  }
  const NextHopResult found =
      layer_->next_hop(now_, bound.is_unspecified() ? to.local : bound, to.remote.ip);
  if (found.hop == nullptr) {
    layer_->count_drop(found.refusal, datagrams);
    stats_.drop(io_reason(found.refusal), datagrams);
  }
  return found.hop;
}

void DpdkDatapath::commit(TxRun& run) {
  if (run.empty()) return;
  const DeviceSocket* const socket = sockets_.find(run.destination().socket);
  if (socket == nullptr) stats_.drop(IoDrop::kTxClosedSocket, run.pushed());
  if (run.token() >= kLargeToken) {
    if (socket != nullptr) commit_large(run, *socket);
    free_large_.push_back(run.token() - kLargeToken);
    run.clear();
    return;
  }
  Run& held = runs_[run.token()];
  const Destination& to = run.destination();
  const NextHop* const hop =
      socket == nullptr || run.pushed() == 0 ? nullptr : find_hop(*socket, to, run.pushed());
  std::size_t sent = 0;
  if (hop != nullptr) {
    UdpSend send{.source_port = socket->local.port, .destination_port = to.remote.port};
    for (; sent < run.pushed(); ++sent) {
      if (run.length(sent) > hop->max_payload())
        refused_.push(to.socket, to.remote, run.length(sent));
      if (run.may_fragment()) send.fragment_id = next_fragment_id();
      queue_datagram(*hop, send, held.frames[sent], run.length(sent));
    }
    // While they lie in the nearest cache, and the other end has something to begin with.
    if (queued_.size() - queued_begin_ >= kEager && blocked_since_ == kNever) send_queued();
  }
  if (sent < run.size()) {
    rte_pktmbuf_free_bulk(held.frames.data() + sent, static_cast<unsigned>(run.size() - sent));
  }
  free_runs_.push_back(run.token());
  run.clear();
}

void DpdkDatapath::commit_large(TxRun& run, const DeviceSocket& socket) {
  for (std::size_t i = 0; i < run.pushed(); ++i) {
    const MutableByteSpan bytes = run.written(i);
    const Destination to = run.destination();
    if (bytes.size() > port_->frame_room()) {
      stats_.drop(IoDrop::kTxTooBig);
      refused_.push(to.socket, to.remote, bytes.size());
      continue;
    }
    rte_mbuf* const frame = rte_pktmbuf_alloc(port_->queue(queue_).tx_pool);
    if (frame == nullptr) {
      stats_.drop(IoDrop::kTxNoBuffer);
      continue;
    }
    copy_payload({rte_pktmbuf_mtod(frame, std::uint8_t*), bytes.size()}, bytes, copied_);
    const NextHop* const hop = find_hop(socket, to, 1);
    if (hop == nullptr) {
      rte_pktmbuf_free(frame);
    } else {
      UdpSend send{.source_port = socket.local.port, .destination_port = to.remote.port};
      if (run.may_fragment()) send.fragment_id = next_fragment_id();
      queue_datagram(*hop, send, frame, bytes.size());
    }
  }
}

void DpdkDatapath::queue_datagram(const NextHop& hop, const UdpSend& send, rte_mbuf* frame,
                                  std::size_t length) {
  if (length > hop.max_payload()) [[unlikely]] {
    layer_->count_drop(NetDrop::kTxTooBig, 1);
    stats_.drop(IoDrop::kTxTooBig);
    return rte_pktmbuf_free(frame);
  }
  const auto header = static_cast<std::uint16_t>(hop.header_bytes());
  const auto total = static_cast<std::uint16_t>(header + length);
  frame->data_off = static_cast<std::uint16_t>(frame->data_off - header);
  frame->data_len = total;
  frame->pkt_len = total;
  const std::size_t ip_bytes = hop.is_v6() ? kIpv6Bytes : kIpv4Bytes;
  frame->tx_offload = 0;
  frame->l2_len = (header - ip_bytes - kUdpBytes) & 0x7f;
  frame->l3_len = ip_bytes & 0x1ff;
  frame->ol_flags = hop.is_v6() ? RTE_MBUF_F_TX_IPV6 : RTE_MBUF_F_TX_IPV4;
  if (hop.ip_offload()) frame->ol_flags |= RTE_MBUF_F_TX_IP_CKSUM;
  if (hop.udp_checksum() == UdpChecksum::kDevice) frame->ol_flags |= RTE_MBUF_F_TX_UDP_CKSUM;
  hop.write_headers(rte_pktmbuf_mtod(frame, std::uint8_t*), send, length);
  if (hop.resolved()) [[likely]] {
    queued_.push_back(frame);
  } else if (!layer_->park(hop, token_of(frame))) {
    stats_.drop(IoDrop::kTxUnreachable);
    rte_pktmbuf_free(frame);
  }
}

void DpdkDatapath::queue_control(ByteSpan bytes) {
  rte_mbuf* const frame = rte_pktmbuf_alloc(port_->queue(queue_).tx_pool);
  if (frame == nullptr) return stats_.drop(IoDrop::kTxNoBuffer);
  std::copy(bytes.begin(), bytes.end(), rte_pktmbuf_mtod(frame, std::uint8_t*));
  frame->data_len = static_cast<std::uint16_t>(bytes.size());
  frame->pkt_len = frame->data_len;
  frame->tx_offload = 0;
  queued_.push_back(frame);
}

// What the network layer has to say of itself, and the frames that waited for an answer.
void DpdkDatapath::run_layer(Time now) {
  if (layer_->next_timeout() <= now) layer_->handle_timeout(now);
  for (ParkedFrame parked; layer_->poll_parked(parked);) {
    rte_mbuf* const frame = frame_of(parked.token);
    if (parked.send) {
      std::copy(parked.destination_mac.bytes.begin(), parked.destination_mac.bytes.end(),
                rte_pktmbuf_mtod(frame, std::uint8_t*));
      queued_.push_back(frame);
    } else {
      stats_.drop(IoDrop::kTxUnreachable);
      rte_pktmbuf_free(frame);
    }
  }
  std::array<std::uint8_t, NetLayer::kControlFrameBytes> frame;
  while (const std::size_t bytes = layer_->poll_frame(frame)) {
    queue_control(ByteSpan(frame).first(bytes));
  }
}

// Whoever is behind a link that has come up learns where we are: twice (RFC 5227 §3), for the
// first word may come too soon after one of somebody else's.
void DpdkDatapath::watch_link(Time now) {
  link_due_ = now + kLinkInterval;
  port_->note_stats(queue_, layer_->stats(), stats_);
  if (const unsigned ups = port_->link_ups(); ups != link_ups_) {
    link_ups_ = ups;
    layer_->handle_link_up(now);
  }
  if (!layer_->options().announces) return;
  const bool up = port_->link_up();
  // A connection that is being made is not to be broken off: its driver bears that badly.
  if (up || (link_was_up_ && port_->running())) revive_due_ = now + kReviveInterval;
  if (!port_->running() || now >= revive_due_) {
    port_->revive();
    revive_due_ = now + kReviveInterval;
  }
  if (up && !link_was_up_) {
    layer_->announce();
    port_->note_link_up();
  }
  if (up != link_was_up_) announce_due_ = up ? now + kAnnounceInterval : kNever;
  if (now >= announce_due_) {
    layer_->announce();
    announce_due_ = kNever;
  }
  link_was_up_ = up;
}

void DpdkDatapath::drop_stuck(Time now) {
  if (blocked_since_ == kNever) blocked_since_ = now;
  ++stats_.tx_retries;
  if (now - blocked_since_ < kStuck) return;
  drop_queued(IoDrop::kTxNoBuffer, queued_.size() - queued_begin_);
  blocked_since_ = kNever;
}

// The first of those that are queued.
void DpdkDatapath::drop_queued(IoDrop reason, std::size_t frames) {
  for (const std::size_t end = queued_begin_ + frames; queued_begin_ < end; ++queued_begin_) {
    if (payload_of(*queued_[queued_begin_]) > 0) stats_.drop(reason);
    rte_pktmbuf_free(queued_[queued_begin_]);
  }
}

// A driver prepares what it is to send: many cards want a pseudo-header's sum of their own kind
// where they are to make the checksum, and each knows frames that it cannot send. Those of
// virtual devices have nothing to prepare. What is prepared twice is none the worse.
DpdkDatapath::SentBurst DpdkDatapath::send_burst(rte_mbuf** frames, std::uint16_t n) {
  const BurstScope burst(port_->guard(), queue_);
  if (!port_->running()) [[unlikely]]
    return {};
  const std::uint16_t ready = rte_eth_tx_prepare(port_->id(), queue_, frames, n);
  const std::uint16_t sent = rte_eth_tx_burst(port_->id(), queue_, frames, ready);
  return {sent, sent == ready && ready < n};
}

// Gives the device what is queued, as far as it takes it. True: all of it.
bool DpdkDatapath::send_queued() {
  while (queued_begin_ < queued_.size()) {
    const std::size_t n = std::min(kBurst, queued_.size() - queued_begin_);
    rte_mbuf** const frames = queued_.data() + queued_begin_;
    // A frame is the device's once it has taken it.
    std::array<std::uint32_t, kBurst> payload;
    for (std::size_t i = 0; i < n; ++i) payload[i] = payload_of(*frames[i]);
    const auto [sent, refused] = send_burst(frames, static_cast<std::uint16_t>(n));
    for (std::size_t i = 0; i < sent; ++i) {
      stats_.tx_bytes += payload[i];
      stats_.tx_datagrams += payload[i] > 0;
    }
    if (sent > 0) {
      ++stats_.tx_sends;
      blocked_since_ = kNever;
      queued_begin_ += sent;
    }
    if (refused) [[unlikely]] {
      drop_queued(IoDrop::kTxError, 1);
    } else if (sent < n) {
      return false;
    }
  }
  queued_.clear();
  queued_begin_ = 0;
  blocked_since_ = kNever;
  return true;
}

void DpdkDatapath::flush() {
  // What the device is to have comes first: the clock and the network layer can wait for it.
  send_queued();
  now_ = read_clock();
  if (now_ >= link_due_) [[unlikely]]
    watch_link(now_);
  run_layer(now_);
  if (send_queued()) return;
  drop_stuck(now_);
  if (queued_begin_ > queued_.size() / 2) {
    queued_.erase(queued_.begin(), queued_.begin() + static_cast<std::ptrdiff_t>(queued_begin_));
    queued_begin_ = 0;
  }
}

void DpdkDatapath::poll_control() {
  std::array<RxView, 8> views;
  rx_burst(views);
  flush();
  rx_done();
}

bool DpdkDatapath::resolve(const IpAddress& remote, Time until) {
  std::array<RxView, 8> views;
  for (;;) {
    rx_burst(views);
    const NextHopResult found = layer_->next_hop(now_, IpAddress{}, remote);
    const bool known = found.hop != nullptr && found.hop->resolved();
    flush();
    rx_done();
    if (known) return true;
    if (monotonic_now() >= until) return false;
    wait(monotonic_now() + milliseconds(10));
  }
}

}  // namespace millrace::io
