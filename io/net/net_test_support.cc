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

NetOptions host_options(unsigned n) {
  NetOptions options;
  options.mac = {{0x02, 0, 0, 0, 0, static_cast<std::uint8_t>(n)}};
  options.addresses = {prefix("192.0.2." + std::to_string(n) + "/24"),
                       prefix("2001:db8::" + std::to_string(n) + "/64")};
  options.announces = false;
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
