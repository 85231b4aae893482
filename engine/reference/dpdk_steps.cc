// SPDX-License-Identifier: Apache-2.0
#include "engine/reference/dpdk_steps.h"

#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include <algorithm>
#include <array>
#include <memory>
#include <span>
#include <thread>
#include <utility>
#include <vector>

#include "engine/base/rng.h"
#include "engine/reference/hello.h"
#include "io/dpdk/dpdk_port.h"
#include "io/net/net_layer.h"

namespace millrace::reference {
namespace {

constexpr std::size_t kSteps = 8;  // Of FrameCosts.
// Another's than what `open_frame_port` gives the receiver.
const IpAddress kSource = IpAddress::v4(198, 18, 0, 2);
constexpr Duration kPatience = seconds(5);
constexpr io::UdpSend kPorts{.source_port = 4000, .destination_port = 5000, .tos = 0};

// Bursts is one end sending to the other, step by step, with the time that each has taken.
class Bursts {
 public:
  static Result<std::unique_ptr<Bursts>, io::IoError> make(const FramePort& from,
                                                           const FramePort& to, std::size_t burst,
                                                           std::size_t bytes) {
    SystemRng rng;
    auto layer = io::NetLayer::create(to->options().net, monotonic_now(), rng);
    if (!layer) return Failure(io::IoError{to->name() + ": " + layer.error().message, 0});
    return std::make_unique<Bursts>(from, to, std::move(layer).value(), burst, bytes);
  }
  Bursts(FramePort from, FramePort to, std::unique_ptr<io::NetLayer> layer, std::size_t burst,
         std::size_t bytes)
      : from_(std::move(from)),
        to_(std::move(to)),
        layer_(std::move(layer)),
        bytes_(bytes),
        sent_(burst),
        received_(burst),
        sums_(burst) {
    io::HopTemplate hop;
    hop.source = kSource;
    hop.destination = layer_->addresses().front().address;
    hop.source_mac = from_->options().net.mac;
    hop.destination_mac = layer_->options().mac;
    hop.resolved = true;
    hop_ = make_next_hop(hop);
  }

  // False: the burst did not arrive whole.
  bool run() {
    begin_ = monotonic_now();
    if (rte_pktmbuf_alloc_bulk(from_->queue(0).tx_pool, sent_.data(), count()) != 0) return false;
    step(0);
    for (std::size_t i = 0; i < sent_.size(); ++i) sums_[i] = sum_of(payload(*sent_[i]));
    step(1);
    for (std::size_t i = 0; i < sent_.size(); ++i) write(*sent_[i], sums_[i]);
    step(2);
    const bool gone = send();
    step(3);
    const bool arrived = gone && receive();
    step(4);
    std::size_t parsed = 0;
    for (std::size_t i = 0; arrived && i < received_.size(); ++i) parsed += parse(*received_[i]);
    step(5);
    std::size_t intact = 0;
    for (std::size_t i = 0; i < parsed; ++i) intact += verify(*received_[i]);
    step(6);
    rte_pktmbuf_free_bulk(received_.data(), static_cast<unsigned>(std::exchange(got_, 0)));
    step(7);
    return intact == received_.size();
  }

  Duration taken() const {
    Duration total{};
    for (const Duration& each : taken_) total += each;
    return total;
  }
  FrameCosts costs(std::uint64_t bursts) const {
    const auto per = [&](std::size_t step) {
      return static_cast<double>(taken_[step].count()) / static_cast<double>(bursts * sent_.size());
    };
    return {.alloc = per(0),
            .checksum = per(1),
            .headers = per(2),
            .tx_burst = per(3),
            .rx_burst = per(4),
            .parse = per(5),
            .verify = per(6),
            .free = per(7)};
  }
  // What was measured so far is forgotten: it was for the caches.
  void forget() { taken_ = {}; }

 private:
  unsigned count() const { return static_cast<unsigned>(sent_.size()); }
  void step(std::size_t index) {
    const Time now = monotonic_now();
    taken_[index] += now - begin_;
    begin_ = now;
  }
  MutableByteSpan payload(rte_mbuf& frame) const {
    return {rte_pktmbuf_mtod(&frame, std::uint8_t*), bytes_};
  }
  static io::ChecksumSum sum_of(ByteSpan bytes) { return checksum_add(io::ChecksumSum{}, bytes); }
  // As DpdkDatapath does it: the payload is where it was written, headers come in front.
  void write(rte_mbuf& frame, io::ChecksumSum sum) const {
    const auto header = static_cast<std::uint16_t>(hop_.header_bytes());
    frame.data_off = static_cast<std::uint16_t>(frame.data_off - header);
    frame.data_len = static_cast<std::uint16_t>(header + bytes_);
    frame.pkt_len = frame.data_len;
    frame.tx_offload = 0;
    frame.ol_flags = RTE_MBUF_F_TX_IPV4;
    hop_.write_headers(rte_pktmbuf_mtod(&frame, std::uint8_t*), kPorts, bytes_, sum);
  }
  bool send() {
    const io::BurstScope scope(from_->guard(), 0);
    std::size_t sent = 0;
    for (const Time end = begin_ + kPatience; sent < sent_.size();) {
      const std::uint16_t n = rte_eth_tx_burst(from_->id(), 0, sent_.data() + sent,
                                               static_cast<std::uint16_t>(sent_.size() - sent));
      sent += n;
      if (n == 0 && (!from_->running() || monotonic_now() > end)) break;
    }
    rte_pktmbuf_free_bulk(sent_.data() + sent, static_cast<unsigned>(sent_.size() - sent));
    return sent == sent_.size();
  }
  bool receive() {
    const io::BurstScope scope(to_->guard(), 0);
    for (const Time end = begin_ + kPatience; got_ < received_.size();) {
      const std::uint16_t n = rte_eth_rx_burst(to_->id(), 0, received_.data() + got_,
                                               static_cast<std::uint16_t>(received_.size() - got_));
      got_ += n;
      if (n == 0 && (!to_->running() || monotonic_now() > end)) break;
    }
    return got_ == received_.size();
  }
  bool parse(rte_mbuf& frame) {
    constexpr io::RxFlags kVouchedFor{.l4 = io::Checksum::kGood};
    io::RxFrame received;
    return layer_->handle_frame(begin_, {rte_pktmbuf_mtod(&frame, std::uint8_t*), frame.data_len},
                                kVouchedFor, {}, received) == io::RxVerdict::kDatagram;
  }
  bool verify(rte_mbuf& frame) const {
    // The pseudo-header: both addresses, which lie in front of UDP, its protocol and length.
    constexpr std::size_t kAddressBytes = 8;
    const std::size_t udp_at = hop_.header_bytes() - io::kUdpBytes;
    const auto udp_bytes = static_cast<std::uint16_t>(io::kUdpBytes + bytes_);
    const ByteSpan bytes{rte_pktmbuf_mtod(&frame, std::uint8_t*), frame.data_len};
    const io::ChecksumSum sum = checksum_add(
        sum_of(bytes.subspan(udp_at - kAddressBytes, kAddressBytes + udp_bytes)),
        static_cast<std::uint16_t>(static_cast<std::uint16_t>(io::IpProtocol::kUdp) + udp_bytes));
    return checksum_is_good(sum);
  }

  const FramePort from_;
  const FramePort to_;
  const std::unique_ptr<io::NetLayer> layer_;
  const std::size_t bytes_;
  io::NextHop hop_;
  std::vector<rte_mbuf*> sent_;
  std::vector<rte_mbuf*> received_;
  std::size_t got_ = 0;  // Of `received_`.
  std::vector<io::ChecksumSum> sums_;
  std::array<Duration, kSteps> taken_{};
  Time begin_{};  // Of the step under way.
};

bool await_links(const FramePort& a, const FramePort& b) {
  for (const Time end = monotonic_now() + kPatience; !(a->link_up() && b->link_up());) {
    if (monotonic_now() > end) return false;
    std::this_thread::sleep_for(milliseconds(5));
  }
  return true;
}

}  // namespace

Result<FrameCosts, io::IoError> measure_frame_costs(const FramePort& from, const FramePort& to,
                                                    std::size_t burst, std::size_t bytes,
                                                    Duration each) {
  if (!await_links(from, to)) {
    return Failure(io::IoError{from->name() + ": the link to " + to->name() + " is down", 0});
  }
  io::register_eal_thread();
  auto made = Bursts::make(from, to, burst, bytes);
  if (!made) return Failure(made.error());
  Bursts& bursts = *made.value();
  std::uint64_t done = 0;
  for (int rounds = 0; bursts.taken() < kSteps * each || done == 0; ++rounds) {
    if (!bursts.run()) {
      return Failure(io::IoError{from->name() + ": a burst did not reach " + to->name(), 0});
    }
    constexpr int kWarmup = 100;
    if (rounds < kWarmup) {
      bursts.forget();
    } else {
      ++done;
    }
  }
  return bursts.costs(done);
}

}  // namespace millrace::reference
