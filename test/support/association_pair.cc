// SPDX-License-Identifier: Apache-2.0
#include "test/support/association_pair.h"

#include <algorithm>

#include "engine/base/check.h"

namespace millrace::test {

HeapBuffers::~HeapBuffers() { CHECK(slots_.empty()); }

BufferRef HeapBuffers::make(ByteSpan bytes) {
  const std::int64_t before = live_bytes != nullptr ? live_bytes() : 0;
  auto slot = std::make_unique<Slot>();
  slot->bytes.assign(bytes.begin(), bytes.end());
  slot->buffer.home = this;
  slot->buffer.data = slot->bytes.data();
  slot->buffer.capacity = static_cast<std::uint32_t>(bytes.size());
  RxBuffer* const buffer = &slot->buffer;
  slots_.emplace(buffer, std::move(slot));
  held_bytes_ += bytes.size();
  if (live_bytes != nullptr) heap_bytes_ += live_bytes() - before;
  return BufferRef(buffer);
}

void HeapBuffers::release(RxBuffer& buffer) {
  const std::int64_t before = live_bytes != nullptr ? live_bytes() : 0;
  held_bytes_ -= buffer.capacity;
  slots_.erase(&buffer);
  if (live_bytes != nullptr) heap_bytes_ += live_bytes() - before;
}

Bytes bytes_of(const sctp::MessageView& message) {
  Bytes out;
  out.reserve(message.size);
  for (const ByteSpan piece : message.pieces) out.insert(out.end(), piece.begin(), piece.end());
  return out;
}

AssociationPair::AssociationPair(const sctp::Options& a, const sctp::Options& b,
                                 const LinkOptions& link, std::uint64_t seed, LiveBytes live_bytes)
    : live_bytes_(live_bytes), rng_(seed), path_rng_(seed ^ 0x9e3779b97f4a7c15), link_(link) {
  for (End& end : ends_) end.buffers.live_bytes = live_bytes;
  replace(kA, a);
  replace(kB, b);
}

void AssociationPair::replace(int end, const sctp::Options& options) {
  const Call counted(*this, end);
  End& place = ends_[index(end)];
  place.association.reset();
  place.association.emplace(options, rng_, mac_, place.pool);
}

std::int64_t AssociationPair::heap_besides(int end) const {
  if (live_bytes_ == nullptr) return 0;
  const End& place = ends_[index(end)];
  return live_bytes_() - place.buffers.heap_bytes() -
         static_cast<std::int64_t>(place.pool.heap_bytes());
}

void AssociationPair::end_call(int end, std::int64_t before) {
  ends_[index(end)].heap_bytes += heap_besides(end) - before;
  if (on_called) on_called(end);
}

std::size_t AssociationPair::heap_bytes(int end) const {
  return static_cast<std::size_t>(std::max<std::int64_t>(ends_[index(end)].heap_bytes, 0));
}

bool AssociationPair::connect_both() {
  a().connect(now_);
  b().connect(now_);
  drain();
  return run_until([this] { return a().is_connected() && b().is_connected(); });
}

void AssociationPair::connect_out_of_band(const sctp::Options& a, const sctp::Options& b) {
  const std::array<const sctp::Options*, 2> options{&a, &b};
  std::array<Bytes, 2> inits;
  for (const int end : {kA, kB}) {
    const sctp::LocalInit local = sctp::LocalInit::draw(rng_);
    inits[index(end)] = sctp::make_init(*options[index(end)], local);
    ends_[index(end)].association.emplace(*options[index(end)], rng_, mac_, ends_[index(end)].pool,
                                          local);
  }
  for (const int end : {kA, kB}) {
    const auto peer = sctp::PeerInit::parse(inits[index(1 - end)]);
    CHECK(peer.has_value());
    ends_[index(end)].association->connect_out_of_band(now_, *peer);
  }
}

void AssociationPair::drain() {
  bool again = true;
  // An end that always has something more to say at one point in time is broken.
  for (int rounds = 0; again; ++rounds) {
    CHECK(rounds < 10000);
    again = false;
    for (const int end : {kA, kB}) {
      again = take_events(end) || again;
      call(end)->handle_burst_end(now_);
      again = take_packets(end) || again;
    }
  }
}

bool AssociationPair::take_events(int end) {
  if (poll_events) return poll_events(end);
  bool any = false;
  sctp::Event event;
  sctp::Association& association = *ends_[index(end)].association;
  for (;;) {
    const bool expected = association.may_have_event();
    if (!association.poll_event(event)) return any;
    CHECK(expected);
    any = true;
    record(end, event);
  }
}

void AssociationPair::record(int end, const sctp::Event& event) {
  const std::array<std::uint8_t, 4> summary{static_cast<std::uint8_t>(end),
                                            static_cast<std::uint8_t>(event.kind),
                                            static_cast<std::uint8_t>(event.stream.value() >> 8),
                                            static_cast<std::uint8_t>(event.stream.value())};
  trace(summary);
  const bool is_message = event.kind == sctp::EventKind::kMessage;
  if (is_message) {
    for (const ByteSpan piece : event.message.pieces) trace(piece);
  }
  if (on_event) return on_event(end, event);
  RecordedEvent recorded{
      .kind = event.kind, .event = event, .payload = {}, .ppid = {}, .streams = {}};
  recorded.event.streams = {};
  recorded.event.message.pieces = {};
  recorded.streams.assign(event.streams.begin(), event.streams.end());
  if (is_message) {
    recorded.payload = bytes_of(event.message);
    recorded.ppid = event.message.ppid;
    recorded.unordered = event.message.unordered;
  }
  ends_[index(end)].events.push_back(std::move(recorded));
}

bool AssociationPair::take_packets(int end) {
  if (lends) return take_lending_packets(end);
  std::array<std::uint8_t, 9216> out;
  bool any = false;
  std::size_t packets = 0;
  while (const std::size_t size = call(end)->poll_packet(now_, out)) {
    any = true;
    CHECK(++packets < 10000);
    leave(end, ByteSpan(out).first(size));
  }
  return any;
}

// As the shard seals them: several in one go, each behind what the association wrote later.
bool AssociationPair::take_lending_packets(int end) {
  CHECK(link_.max_packet_bytes == 0);
  std::vector<std::pair<Bytes, LentBytes>> packets;
  for (;;) {
    CHECK(packets.size() < 10000);
    auto& [packet, lent] = packets.emplace_back(Bytes(9216), LentBytes{});
    packet.resize(call(end)->poll_packet(now_, packet, &lent));
    if (packet.empty()) break;
  }
  packets.pop_back();
  for (auto& [packet, lent] : packets) {
    CHECK(lent.end() <= packet.size());
    if (!lent.empty()) std::copy_n(lent.data, lent.size, packet.data() + lent.at);
  }
  for (const auto& [packet, lent] : packets) leave(end, packet);
  return !packets.empty();
}

void AssociationPair::leave(int end, ByteSpan packet) {
  if (record_sent) ends_[index(end)].sent.emplace_back(packet.begin(), packet.end());
  if (!fits_path(end, packet) || (filter && !filter(end, packet))) return;
  carry(end, packet);
}

bool AssociationPair::fits_path(int from, ByteSpan packet) {
  return link_.max_packet_bytes == 0 || packet.size() <= link_.max_packet_bytes ||
         (link_.fragments_pass && (*this)[from].may_be_fragmented());
}

void AssociationPair::carry(int from, ByteSpan packet) {
  if (link_.loss > 0 && draw() < link_.loss) return;
  const int copies = link_.duplicate > 0 && draw() < link_.duplicate ? 2 : 1;
  for (int i = 0; i < copies; ++i) {
    Duration delay = link_.delay;
    if (link_.reorder > 0 && draw() < link_.reorder) {
      delay += Duration(
          static_cast<Duration::rep>(draw() * static_cast<double>(link_.reorder_delay.count())));
    }
    Bytes copy(packet.begin(), packet.end());
    if (link_.corrupt > 0 && draw() < link_.corrupt) corrupt(copy);
    in_flight_.emplace(now_ + delay, InFlight{1 - from, std::move(copy)});
  }
}

// CRC32c finds any three bits in packets of this size.
void AssociationPair::corrupt(Bytes& packet) {
  for (std::uint64_t flips = 1 + path_rng_.below(3); flips > 0; --flips) {
    const std::uint64_t bit = path_rng_.below(packet.size() * 8);
    packet[bit / 8] ^= static_cast<std::uint8_t>(1u << (bit % 8));
  }
}

bool AssociationPair::step(Time limit) {
  Time next = std::min(a().next_timeout(), b().next_timeout());
  if (!in_flight_.empty()) next = std::min(next, in_flight_.begin()->first);
  if (next != kNever) next = Time((next.time_since_epoch() + tick - Duration(1)) / tick * tick);
  if (next > limit || next == kNever) {
    if (limit != kNever) now_ = std::max(now_, limit);
    return false;
  }
  now_ = std::max(now_, next);
  count_turn(!in_flight_.empty() && in_flight_.begin()->first <= now_);
  while (!in_flight_.empty() && in_flight_.begin()->first <= now_) {
    const auto node = in_flight_.extract(in_flight_.begin());
    inject(node.mapped().to, node.mapped().packet);
  }
  for (const int end : {kA, kB}) {
    if (ends_[index(end)].association->next_timeout() <= now_) {
      call(end)->handle_timeout(now_);
    }
  }
  drain();
  return true;
}

// A driver that calls `handle_timeout` at `next_timeout` must get on: an end whose time-out
// stays in the past would keep a processor busy for nothing.
void AssociationPair::count_turn(bool delivered) {
  ++turns_;
  idle_turns_ = delivered || now_ > last_turn_ ? 0 : idle_turns_ + 1;
  last_turn_ = now_;
  CHECK(idle_turns_ < 8);
}

void AssociationPair::run_for(Duration duration) {
  const Time limit = now_ + duration;
  while (step(limit)) {
  }
}

bool AssociationPair::run_until(const std::function<bool()>& done, Duration limit) {
  const Time end = now_ + limit;
  while (!done()) {
    if (!step(end)) return done();
  }
  return true;
}

void AssociationPair::inject(int end, ByteSpan packet) {
  trace(packet);
  const BufferRef buffer = ends_[index(end)].buffers.make(packet);
  call(end)->handle_packet(now_, ByteSpan(buffer->data, packet.size()), buffer);
}

std::size_t AssociationPair::count(int end, sctp::EventKind kind) const {
  return static_cast<std::size_t>(
      std::ranges::count(ends_[index(end)].events, kind, &RecordedEvent::kind));
}

const RecordedEvent* AssociationPair::last(int end, sctp::EventKind kind) const {
  const auto& events = ends_[index(end)].events;
  const auto found = std::find_if(events.rbegin(), events.rend(),
                                  [kind](const RecordedEvent& e) { return e.kind == kind; });
  return found == events.rend() ? nullptr : &*found;
}

void AssociationPair::trace(ByteSpan bytes) {
  for (const std::uint8_t byte : bytes) trace_ = (trace_ ^ byte) * 0x100000001b3;
  trace_ ^= static_cast<std::uint64_t>(now_.time_since_epoch().count());
}

}  // namespace millrace::test
