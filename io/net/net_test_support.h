// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/rng.h"
#include "io/net/net_layer.h"

namespace millrace::io::test {

using Bytes = std::vector<std::uint8_t>;

IpAddress ip(std::string_view text);
IpPrefix prefix(std::string_view text);
MacAddress mac(std::string_view text);
Address at(std::string_view text);
Bytes hex(std::string_view digits);  // Spaces are left out.
Bytes text_bytes(std::string_view text);

// With an 802.1Q tag.
Bytes tagged(Bytes frame, std::uint16_t tag);
// Puts the checksums of an untagged frame right, as far as it can be read: the IPv4 header's,
// UDP's, ICMP's. By a sum of its own, word by word.
void reseal(Bytes& frame);
// The frame of `digits` with other bytes at a place, and checksums that fit unless it shall not.
Bytes changed(std::string_view digits, std::size_t at, const Bytes& bytes, bool sealed = true);

inline constexpr Time kNow{seconds(10)};

// Options of one of two hosts on a link: 192.0.2.N/24, 2001:db8::N/64, 02:00:00:00:00:0N.
NetOptions host_options(unsigned n);

// NetHost is a layer and what a datapath would do with it: it holds parked frames, and puts
// what the layer sends into `out`.
class NetHost {
 public:
  explicit NetHost(const NetOptions& options, std::uint64_t seed = 1, Time now = Time{});

  // Sends one datagram; false: it was dropped.
  bool send(Time now, const Address& local, const Address& remote, ByteSpan payload,
            std::uint8_t tos = 0);
  RxVerdict receive(Time now, Bytes frame, RxFlags flags = {});
  // Runs timers and moves what the layer has to say to `out`.
  void turn(Time now);

  NetLayer& layer() { return *layer_; }
  std::uint64_t dropped(NetDrop reason) const { return layer_->stats().dropped(reason); }

  struct Datagram {
    Address source;
    Address local;
    std::uint8_t tos;
    Bytes payload;
  };
  std::vector<Bytes> out;
  std::vector<Datagram> datagrams;
  RxFrame last;  // Of the last frame received.
  std::size_t given_up = 0;

 private:
  std::unique_ptr<NetLayer> layer_;
  std::map<FrameToken, Bytes> parked_;
  FrameToken next_token_ = 1;
};

// Hands frames to and fro until neither has any.
void exchange(Time now, NetHost& a, NetHost& b);

}  // namespace millrace::io::test
