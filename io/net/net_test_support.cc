// SPDX-License-Identifier: Apache-2.0
#include "io/net/net_test_support.h"

#include <algorithm>

#include "engine/base/check.h"

namespace millrace::io::test {

IpAddress ip(std::string_view text) { return IpAddress::parse(text).value(); }
IpPrefix prefix(std::string_view text) { return IpPrefix::parse(text).value(); }
MacAddress mac(std::string_view text) { return MacAddress::parse(text).value(); }
Address at(std::string_view text) { return Address::parse(text).value(); }

Bytes hex(std::string_view digits) {
  Bytes bytes;
  std::string pair;
  for (const char c : digits) {
    if (c == ' ' || c == '\n') continue;
    pair.push_back(c);
    if (pair.size() < 2) continue;
    bytes.push_back(static_cast<std::uint8_t>(std::stoi(pair, nullptr, 16)));
    pair.clear();
  }
  CHECK(pair.empty());
  return bytes;
}

Bytes text_bytes(std::string_view text) { return {text.begin(), text.end()}; }

Bytes tagged(Bytes frame, std::uint16_t tag) {
  const Bytes bytes{0x81, 0x00, static_cast<std::uint8_t>(tag >> 8),
                    static_cast<std::uint8_t>(tag)};
  frame.insert(frame.begin() + 12, bytes.begin(), bytes.end());
  return frame;
}

namespace {

std::uint32_t sum_words(ByteSpan bytes, std::uint32_t sum) {
  for (std::size_t i = 0; i < bytes.size(); i += 2) {
    sum += std::uint32_t{bytes[i]} << 8 | (i + 1 < bytes.size() ? bytes[i + 1] : 0u);
    sum = (sum & 0xffff) + (sum >> 16);
  }
  return sum;
}

void seal(MutableByteSpan bytes, std::size_t field, std::uint32_t sum, bool udp) {
  store_be16(bytes.data() + field, 0);
  const auto checksum = static_cast<std::uint16_t>(~sum_words(bytes, sum));
  store_be16(bytes.data() + field, udp && checksum == 0 ? 0xffff : checksum);
}

void reseal_upper(MutableByteSpan upper, std::uint8_t protocol, std::uint32_t addresses) {
  const std::uint32_t pseudo = addresses + protocol + static_cast<std::uint32_t>(upper.size());
  if (protocol == 17 && upper.size() >= 8) {
    const std::size_t length = load_be16(upper.data() + 4);
    if (length < 8 || length > upper.size()) return;
    seal(upper.first(length), 6, addresses + protocol + load_be16(upper.data() + 4), true);
  }
  if (protocol == 1 && upper.size() >= 4) seal(upper, 2, 0, false);
  if (protocol == 58 && upper.size() >= 4) seal(upper, 2, pseudo, false);
}

}  // namespace

void reseal(Bytes& frame) {
  if (frame.size() < 34) return;
  const MutableByteSpan packet = std::span(frame).subspan(14);
  const std::uint16_t type = load_be16(frame.data() + 12);
  if (type == 0x0800) {
    const std::size_t header = 4 * (packet[0] & 15u);
    const std::size_t total = load_be16(packet.data() + 2);
    if (header < 20 || total < header || total > packet.size()) return;
    seal(packet.first(header), 10, 0, false);
    reseal_upper(packet.subspan(header, total - header), packet[9],
                 sum_words(packet.subspan(12, 8), 0));
  } else if (type == 0x86dd && packet.size() >= 40) {
    const std::size_t total = 40u + load_be16(packet.data() + 4);
    std::uint8_t next = packet[6];
    std::size_t at = 40;
    if (total > packet.size()) return;
    while ((next == 0 || next == 60) && at + 2 <= total) {
      next = packet[at];
      at += 8 * (packet[at + 1] + 1u);
    }
    if (at > total) return;
    reseal_upper(packet.subspan(at, total - at), next, sum_words(packet.subspan(8, 32), 0));
  }
}

Bytes changed(std::string_view digits, std::size_t at, const Bytes& bytes, bool sealed) {
  Bytes out = hex(digits);
  std::copy(bytes.begin(), bytes.end(), out.begin() + static_cast<std::ptrdiff_t>(at));
  if (sealed) reseal(out);
  return out;
}

NetOptions host_options(unsigned n) {
  NetOptions options;
  options.mac = {{0x02, 0, 0, 0, 0, static_cast<std::uint8_t>(n)}};
  options.addresses = {prefix("192.0.2." + std::to_string(n) + "/24"),
                       prefix("2001:db8::" + std::to_string(n) + "/64")};
  options.announces = false;
  // Hosts are made by the thousand.
  options.max_next_hops = 64;
  options.neighbours.max_neighbours = 64;
  return options;
}

NetHost::NetHost(const NetOptions& options, std::uint64_t seed, Time now) {
  SeededRng rng(seed);
  auto made = NetLayer::create(options, now, rng);
  layer_ = std::move(made.value());
}

bool NetHost::send(Time now, const Address& local, const Address& remote, ByteSpan payload,
                   std::uint8_t tos) {
  const NextHopResult way = layer_->next_hop(now, local.ip, remote.ip);
  if (way.hop == nullptr) {
    layer_->count_drop(way.refusal, 1);
    return false;
  }
  if (payload.size() > way.hop->max_payload()) {
    layer_->count_drop(NetDrop::kTxTooBig, 1);
    return false;
  }
  Bytes frame(way.hop->header_bytes());
  frame.insert(frame.end(), payload.begin(), payload.end());
  const UdpSend send{.source_port = local.port, .destination_port = remote.port, .tos = tos};
  way.hop->write_headers(frame.data(), send, payload.size());
  if (way.hop->resolved()) {
    out.push_back(std::move(frame));
  } else {
    if (!layer_->park(*way.hop, next_token_)) return false;
    parked_[next_token_++] = std::move(frame);
  }
  turn(now);
  return true;
}

RxVerdict NetHost::receive(Time now, Bytes frame, RxFlags flags) {
  Bytes reply(layer_->max_frame_bytes());
  const RxVerdict verdict = layer_->handle_frame(now, frame, flags, reply, last);
  if (verdict == RxVerdict::kReply) {
    reply.resize(last.reply_bytes);
    out.push_back(std::move(reply));
  }
  if (verdict == RxVerdict::kDatagram) {
    datagrams.push_back(
        {last.source, last.local, last.tos, Bytes(last.payload.begin(), last.payload.end())});
  }
  turn(now);
  return verdict;
}

void NetHost::turn(Time now) {
  if (layer_->next_timeout() <= now) layer_->handle_timeout(now);
  ParkedFrame parked;
  while (layer_->poll_parked(parked)) {
    const auto held = parked_.find(parked.token);
    CHECK(held != parked_.end());
    if (parked.send) {
      std::copy_n(parked.destination_mac.bytes.begin(), 6, held->second.begin());
      out.push_back(std::move(held->second));
    } else {
      ++given_up;
    }
    parked_.erase(held);
  }
  CHECK(parked_.size() == layer_->parked());
  Bytes frame(NetLayer::kControlFrameBytes);
  while (const std::size_t bytes = layer_->poll_frame(frame)) {
    out.emplace_back(frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(bytes));
  }
}

void exchange(Time now, NetHost& a, NetHost& b) {
  for (std::size_t rounds = 0; !a.out.empty() || !b.out.empty(); ++rounds) {
    CHECK(rounds < 100);
    for (const Bytes& frame : std::exchange(a.out, {})) b.receive(now, frame);
    for (const Bytes& frame : std::exchange(b.out, {})) a.receive(now, frame);
  }
}

}  // namespace millrace::io::test
