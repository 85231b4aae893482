// SPDX-License-Identifier: Apache-2.0
//
// Plays a network's part towards a layer of io/net: frames as they come or with checksums put
// right, sends to many neighbours, and time. What the layer sends goes to a second one, which
// must find nothing wrong with it. The input is a byte of settings and then records: an
// operation, a byte of detail, a length of 16 bits, so many bytes.
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "engine/base/check.h"
#include "io/net/net_test_frames.h"
#include "io/net/net_test_support.h"

namespace {

using namespace millrace;
using namespace millrace::io;
using namespace millrace::io::test;

enum : std::uint8_t { kRaw, kSealed, kDamaged, kSend, kAdvance, kOperations };

constexpr std::size_t kMaxRecords = 400;
constexpr std::size_t kMaxNeighbours = 12;
constexpr std::size_t kMaxParked = 20;
constexpr std::string_view kFrames[] = {kUdp4,
                                        kUdp4Options,
                                        kUdp4NoChecksum,
                                        kUdp6,
                                        kUdp6Options,
                                        kArpRequest,
                                        kArpReply,
                                        kArpProbe,
                                        kArpAnnouncement,
                                        kSolicitation,
                                        kDuplicateProbe,
                                        kAdvertisement,
                                        kUnsolicitedAdvertisement,
                                        kEcho4,
                                        kEcho6,
                                        kFragmentationNeeded,
                                        kPacketTooBig,
                                        kListenerQuery,
                                        kListenerQueryForGroup};

NetOptions options_of(std::uint8_t settings, unsigned host) {
  NetOptions options = host_options(host);
  if ((settings & 1) != 0) options.vlan = 7;
  options.announces = (settings & 2) != 0;
  options.loops_back = (settings & 4) != 0 && host == 1;
  options.max_next_hops = 8;
  options.gateways = {ip("192.0.2.254"), ip("fe80::fe")};
  options.neighbours.max_neighbours = kMaxNeighbours;
  options.neighbours.max_unresolved = 6;
  options.neighbours.max_parked = kMaxParked;
  options.neighbours.max_parked_each = 3;
  return options;
}

class Play {
 public:
  explicit Play(std::uint8_t settings)
      : vlan_((settings & 1) != 0),
        host_(options_of(settings, 1), 1, now_),
        peer_(options_of(static_cast<std::uint8_t>(settings & 1), 2), 2, now_) {}

  void record(std::uint8_t operation, std::uint8_t detail, ByteSpan bytes) {
    switch (operation % kOperations) {
      case kRaw:
        return give(Bytes(bytes.begin(), bytes.end()), detail);
      case kSealed: {
        Bytes frame(bytes.begin(), bytes.end());
        reseal(frame);
        return give(vlan_ && frame.size() >= 12 ? tagged(frame, 7) : frame, detail);
      }
      case kDamaged: {
        Bytes frame = hex(kFrames[detail % std::size(kFrames)]);
        for (std::size_t i = 0; i + 2 <= bytes.size(); i += 2) {
          frame[bytes[i] % frame.size()] = bytes[i + 1];
        }
        reseal(frame);
        return give(vlan_ ? tagged(frame, 7) : frame, 0);
      }
      case kSend:
        return send(detail, bytes);
      default:
        now_ += milliseconds(detail * 100);
        host_.turn(now_);
        peer_.turn(now_);
        CHECK(host_.layer().next_timeout() > now_);
    }
  }

  void check() {
    for (const Bytes& frame : std::exchange(host_.out, {})) {
      CHECK(frame.size() >= 42 && frame.size() <= host_.layer().max_frame_bytes());
      const RxVerdict verdict = peer_.receive(now_, frame);
      if (verdict != RxVerdict::kDropped) continue;
      // Not its own, or not asked for; but never ill made.
      const NetDrop why = peer_.last.drop;
      CHECK(why == NetDrop::kRxNotOurMac || why == NetDrop::kRxNotOurAddress ||
            why == NetDrop::kRxArpNotForUs || why == NetDrop::kRxNdNotForUs ||
            why == NetDrop::kRxUnknownNeighbour || why == NetDrop::kRxNeighbourFlap ||
            why == NetDrop::kRxEchoLimit || why == NetDrop::kRxAnswerLimit ||
            why == NetDrop::kRxIcmpIgnored);
    }
    peer_.out.clear();
    host_.datagrams.clear();
    CHECK(host_.layer().neighbours() <= kMaxNeighbours);
    CHECK(host_.layer().parked() <= kMaxParked);
  }

  // Time cures all: nothing waits, and no timer runs, once everybody has been silent.
  void finish() {
    for (int i = 0; i < 100; ++i) {
      now_ += seconds(20);
      host_.turn(now_);
      check();
    }
    CHECK(host_.layer().parked() == 0 && host_.layer().neighbours() == 0);
    CHECK(host_.layer().next_timeout() == kNever);
  }

 private:
  void give(const Bytes& frame, std::uint8_t detail) {
    RxFlags flags;
    flags.ip = static_cast<Checksum>(detail % 3);
    flags.l4 = static_cast<Checksum>(detail / 3 % 3);
    flags.second_hand = (detail & 0x40) != 0;
    if ((detail & 0x80) != 0) flags.stripped_vlan = static_cast<std::uint16_t>(detail & 7);
    if (host_.receive(now_, frame, flags) == RxVerdict::kPathMtu) return check_word(frame.size());
    if (host_.datagrams.empty()) return;
    const NetHost::Datagram& datagram = host_.datagrams.back();
    CHECK(!datagram.payload.empty() && datagram.payload.size() + 42 <= frame.size());
    CHECK(datagram.source.port != 0 && datagram.local.port != 0);
    CHECK(datagram.source.ip.family == datagram.local.ip.family);
  }

  void check_word(std::size_t frame_bytes) const {
    const PathMtu& word = host_.last.path_mtu;
    const std::size_t headers = word.local.ip.is_v4() ? 28 : 48;
    CHECK(word.payload.size() <= word.bytes && word.payload.size() + 42 + headers <= frame_bytes);
    CHECK(word.mtu == 0 ? word.limit == 0 : word.limit + headers == word.mtu);
    CHECK(word.local.ip.family == word.remote.ip.family);
  }

  void send(std::uint8_t detail, ByteSpan bytes) {
    if (bytes.empty()) return;  // No datapath sends that.
    const bool v4 = (detail & 0x80) != 0;
    IpAddress to = ip(v4 ? "192.0.2.0" : "2001:db8::");
    to.bytes[v4 ? 3 : 15] = static_cast<std::uint8_t>(detail & 0x3f);
    if ((detail & 0x40) != 0) to.bytes[v4 ? 2 : 7] = 9;  // By the gateway.
    host_.send(now_, {IpAddress{}, 1000}, {to, 2000}, bytes, detail);
  }

  Time now_{seconds(1)};
  bool vlan_;
  NetHost host_;
  NetHost peer_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  ByteReader in(ByteSpan(data, size));
  Play play(in.u8().value_or(0));
  for (std::size_t i = 0; i < kMaxRecords; ++i) {
    const auto operation = in.u8();
    const auto detail = in.u8();
    const auto length = in.u16();
    if (!operation || !detail || !length) break;
    const std::size_t bytes = std::min<std::size_t>(*length, in.remaining());
    play.record(*operation, *detail, in.take(bytes).value_or(ByteSpan()));
    play.check();
  }
  play.finish();
  return 0;
}
