// SPDX-License-Identifier: Apache-2.0
//
// The network layer of a device that hands over raw frames (kernel bypass): Ethernet with an
// optional VLAN tag, ARP (RFC 826), IPv4 (RFC 791), IPv6 (RFC 8200), neighbour discovery
// (RFC 4861), UDP (RFC 768), echo (RFC 792, 4443). Sans-IO: frames and `now` in, frames out.
// It neither fragments nor reassembles, is no router, and listens to no multicast group but those
// of neighbour discovery, which it reports to switches that snoop (RFC 3810).
//
// It belongs to one shard. Nothing allocates after `create`; every table and queue is bounded
// (NetOptions), and what finds no room is a counted drop.
//
// A turn of the datapath:
//   handle_frame(now, frame, ...)     each received frame: a datagram, or a reply to send
//   handle_timeout(now)               when next_timeout() has come
//   hop = next_hop(now, local, remote), hop->write_headers(...)
//     resolved: send the frame; else park(*hop, token)
//   while (poll_parked(parked))       frames that may leave now, or must be given up
//   while (n = poll_frame(out))  questions and announcements of its own
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "engine/base/address.h"
#include "engine/base/bytes.h"
#include "engine/base/result.h"
#include "engine/base/rng.h"
#include "engine/base/time.h"
#include "io/net/neighbour_table.h"
#include "io/net/net_options.h"
#include "io/net/net_stats.h"
#include "io/net/next_hop.h"
#include "io/net/next_hop_cache.h"
#include "io/net/own_addresses.h"
#include "io/net/rx_frame.h"
#include "io/net/wire.h"

namespace millrace::io {

// NextHopResult is a NextHop, valid until the next call of a method that is not const, or
// why there is none; that is not counted yet, for the caller knows how many frames it hits
// (`count_drop`).
struct NextHopResult {
  const NextHop* hop = nullptr;
  NetDrop refusal = NetDrop::kCount;
};

// ParkedFrame is a frame that waited for its neighbour. `send`: put `destination_mac` into
// its first six bytes and send it. Else forget it: it has been counted.
struct ParkedFrame {
  FrameToken token = 0;
  bool send = false;
  MacAddress destination_mac;
};

class NetLayer {
 public:
  // Room for any frame of `poll_frame`; a reply needs `max_frame_bytes()`.
  static constexpr std::size_t kControlFrameBytes = 128;

  // `now` is at or before every later one. `rng` is asked here alone.
  static Result<std::unique_ptr<NetLayer>, NetError> create(const NetOptions& options, Time now,
                                                            Rng& rng);

  NetLayer(const NetLayer&) = delete;
  NetLayer& operator=(const NetLayer&) = delete;

  // Consumes one received frame, whole and without its FCS. It may not overlap `reply`.
  RxVerdict handle_frame(Time now, MutableByteSpan frame, const RxFlags& flags,
                         MutableByteSpan reply, RxFrame& out);

  // The way to `remote` from `local` (family kNone: the layer chooses the source). Costs one
  // look-up where the pair was asked for before. Ports do not matter.
  NextHopResult next_hop(Time now, const IpAddress& local, const IpAddress& remote);
  // Keeps a frame, whose headers `hop` wrote and which is the caller's to hold, until its
  // neighbour is known. False: there is no room, and it has been counted as a drop. What
  // waited longest for this neighbour may have to go instead (RFC 4861 §7.2.2), by
  // `poll_parked`. CHECKs that `hop` is current, and not resolved.
  bool park(const NextHop& hop, FrameToken token);
  bool poll_parked(ParkedFrame& out);
  // Frames that `poll_parked` will still return, now or later.
  std::size_t parked() const { return neighbours_.parked(); }

  // Writes the next frame of the layer's own to `out`, of at least kControlFrameBytes, and
  // returns its length; 0 when there is none. All checksums are in it.
  std::size_t poll_frame(MutableByteSpan out);
  void handle_timeout(Time now) { neighbours_.handle_timeout(now); }
  // When `handle_timeout` has work; kNever when there is none.
  Time next_timeout() const { return neighbours_.next_timeout(); }

  // Queues a gratuitous ARP or an unsolicited neighbour advertisement for each address
  // (RFC 5227 §3, RFC 4861 §7.2.6), and a listener's report (RFC 3810), for switches and
  // neighbours. `create` does it once.
  void announce();

  // The link was down and is up: who did not answer meanwhile is asked anew.
  void handle_link_up(Time now) { neighbours_.ask_anew(now); }

  void count_drop(NetDrop reason, std::uint64_t frames) { stats_.drop(reason, frames); }
  const NetStats& stats() const { return stats_; }
  const NetOptions& options() const { return options_; }
  // Bytes of the largest frame, without FCS.
  std::size_t max_frame_bytes() const { return ethernet_bytes_ + options_.mtu; }
  // What stands in front of a datagram to `remote`.
  std::size_t header_bytes(const IpAddress& remote) const {
    return ethernet_bytes_ + (remote.is_v4() ? kIpv4Bytes : kIpv6Bytes) + kUdpBytes;
  }
  // Own addresses, the link-local one included.
  std::span<const IpPrefix> addresses() const { return options_.addresses; }
  // Neighbours in the table, static ones and the gateways left out; a gauge.
  std::size_t neighbours() const { return neighbours_.size(); }
  // What is known of an on-link address, for diagnosis ("the gateway does not answer").
  NeighbourState neighbour_state(const IpAddress& ip) const { return neighbours_.state(ip); }

 private:
  // A received frame on its way up; each layer sets what it has read.
  struct Frame {
    Time now;
    // By reference: copies would be read by wider loads than stores just made them.
    const RxFlags& flags;
    const MutableByteSpan& reply;
    RxFrame& out;
    IpAddress& source;  // In `out`, where they are wanted in the end.
    IpAddress& destination;
    MutableByteSpan bytes;  // What the layer at hand is to read.
    ByteSpan ethernet;      // The frame from its first byte.
    ByteSpan addresses{};   // Source and destination as they lie in the IP header.
    bool to_group = false;  // Of Ethernet.
    std::uint8_t tos = 0;
    std::uint8_t hop_limit = 0;
    IpProtocol protocol = IpProtocol::kNoNext;

    MacAddress source_mac() const { return load_mac(ethernet.data() + 6); }
    MacAddress destination_mac() const { return load_mac(ethernet.data()); }
  };
  // Where a packet goes first, and the address that it is sent from.
  struct Way {
    IpAddress source;
    IpAddress via;
    bool is_gateway = false;
  };

  NetLayer(const NetOptions& options, Time now, Rng& rng);

  // net_receive.cc
  RxVerdict drop(Frame& frame, NetDrop reason);
  NetDrop read_ethernet(Frame& frame, EtherType& type) const;
  NetDrop read_ipv4(Frame& frame) const;
  NetDrop read_ipv6(Frame& frame) const;
  RxVerdict receive_udp(Frame& frame);
  static bool is_intact_udp(const Frame& frame, ByteSpan datagram);

  // net_icmp.cc
  RxVerdict receive_icmp(Frame& frame);
  RxVerdict receive_icmpv6(Frame& frame);
  RxVerdict receive_path_mtu(Frame& frame, std::uint32_t mtu);
  RxVerdict answer_echo(Frame& frame, std::uint8_t reply_type);
  static bool take_token(Time now, unsigned per_second, Time& whole);

  // net_neighbour.cc
  RxVerdict receive_arp(Frame& frame);
  RxVerdict answer_arp(Frame& frame, const IpAddress& target, const IpAddress& asker,
                       const MacAddress& asker_mac);
  RxVerdict receive_solicitation(Frame& frame);
  RxVerdict receive_advertisement(Frame& frame);
  bool is_neighbour(const IpAddress& ip) const;
  RxVerdict finish_claim(Frame& frame, NetDrop outcome, std::uint64_t& counter);
  std::size_t write_question(const Solicitation& question, std::uint8_t* out) const;
  std::size_t write_announcement(const IpAddress& own, std::uint8_t* out) const;

  // net_listener.cc
  RxVerdict receive_listener_query(Frame& frame);
  std::size_t write_report(const IpAddress& own, std::uint8_t* out) const;

  // net_layer.cc
  std::optional<Way> find_way(const IpAddress& local, const IpAddress& remote) const;
  const IpAddress* source_for(const IpAddress& remote, const IpAddress& via) const;
  bool is_on_link(const IpAddress& ip) const;
  NextHopResult make_hop(Time now, const IpAddress& local, const IpAddress& remote);

  NetOptions options_;  // With the link-local address.
  OwnAddresses own_;
  std::uint64_t mac_word_;  // Our MAC address as `load_be48` reads it.
  std::size_t ethernet_bytes_;
  NetStats stats_;
  NeighbourTable neighbours_;
  NextHopCache hops_;
  std::size_t next_announcement_;  // Of `options_.addresses`; past the end: none.
  std::size_t next_report_;        // The same.
  std::uint8_t report_type_ = 0;
  Time listener_due_;    // Before that, a listener query is answered already.
  Time echo_due_{};      // When the echo budget is whole again.
  Time answer_due_{};    // That of answers to ARP and neighbour solicitations.
  Time path_mtu_due_{};  // That of routers' words.
  std::uint64_t copied_ = 0;
};

}  // namespace millrace::io
