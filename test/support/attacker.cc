// SPDX-License-Identifier: Apache-2.0
#include "test/support/attacker.h"

#include <algorithm>
#include <array>

namespace millrace::test {
namespace {

using Out = std::vector<std::uint8_t>;

void put8(Out& out, std::uint32_t value) { out.push_back(static_cast<std::uint8_t>(value)); }
void put16(Out& out, std::uint32_t value) {
  put8(out, value >> 8);
  put8(out, value);
}
void put32(Out& out, std::uint32_t value) {
  put16(out, value >> 16);
  put16(out, value);
}

// Writes the header of a chunk or parameter whose length `end` fills in.
std::size_t begin(Out& out, std::uint32_t first, std::uint32_t second) {
  const std::size_t at = out.size();
  put8(out, first);
  put8(out, second);
  put16(out, 0);
  return at;
}
void end(Out& out, std::size_t at) {
  store_be16(out.data() + at + 2, static_cast<std::uint16_t>(out.size() - at));
  while (out.size() % 4 != 0) out.push_back(0);
}

enum : std::uint8_t {
  kData = 0,
  kInit = 1,
  kInitAck = 2,
  kSack = 3,
  kHeartbeat = 4,
  kHeartbeatAck = 5,
  kAbort = 6,
  kShutdown = 7,
  kShutdownAck = 8,
  kError = 9,
  kCookieEcho = 10,
  kCookieAck = 11,
  kShutdownComplete = 14,
  kIData = 64,
  kReconfig = 130,
  kPad = 132,
  kForwardTsn = 192,
  kIForwardTsn = 194,
};

}  // namespace

void Attacker::append_random(Out& out, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes; ++i) put8(out, below(256));
}

std::uint32_t Attacker::tsn_near(std::uint32_t base) {
  switch (below(8)) {
    case 0:
      return base + 1 + below(70000);
    case 1:
      return base - below(70000);
    case 2:
      return base + 0x7FFFFFF0u + below(32);
    case 3:
      return rng_.next_u32();
    default:
      return base + below(8) - 2;
  }
}

std::uint16_t Attacker::stream() {
  switch (below(8)) {
    case 0:
      return static_cast<std::uint16_t>(below(65536));
    case 1:
      return static_cast<std::uint16_t>(below(200));
    default:
      return static_cast<std::uint16_t>(below(4));
  }
}

std::vector<std::uint8_t> Attacker::chunks(Knowledge& known) {
  Out out;
  const std::uint32_t count = one_in(3) ? 1 + below(12) : 1;
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::size_t before = out.size();
    append_chunk(known, out);
    if (out.size() > kMaxBytes) {
      out.resize(before);
      break;
    }
  }
  if (one_in(12) && dares()) damage(out);
  return out;
}

void Attacker::damage(std::vector<std::uint8_t>& chunks) {
  if (chunks.empty()) return;
  const auto size = static_cast<std::uint32_t>(chunks.size());
  for (std::uint32_t i = below(4); i > 0; --i) {
    const std::uint32_t at = one_in(2) ? below(size) : std::min(below(8), size - 1);
    chunks[at] = one_in(3) ? static_cast<std::uint8_t>(below(256))
                           : std::array<std::uint8_t, 4>{0, 1, 0x7F, 0xFF}[below(4)];
  }
  if (size >= 4 && one_in(3))
    store_be16(chunks.data() + 2, static_cast<std::uint16_t>(below(2 * size)));
  if (one_in(3)) chunks.resize(below(size) + 1);
}

void Attacker::append_chunk(Knowledge& known, Out& out) {
  switch (below(16)) {
    case 0:
    case 1:
    case 2:
    case 3:
      return append_data(known, out);
    case 4:
      return append_message(known, out);
    case 5:
    case 6:
    case 7:
      return append_sack(known, out);
    case 8:
      return append_forward_tsn(known, out, known.i_data);
    case 9:
    case 10:
      return append_reconfig(known, out);
    case 11:
      return append_heartbeat(known, out);
    default:
      return append_rare_chunk(known, out);
  }
}

void Attacker::append_rare_chunk(Knowledge& known, Out& out) {
  std::size_t at = 0;  // Where the chunk begins.
  switch (below(24)) {
    case 0:
      return append_init(known, out, kInit);
    case 1:
      return append_init(known, out, kInitAck);
    case 2:
      at = begin(out, kCookieEcho, 0);
      out.insert(out.end(), known.cookie.begin(), known.cookie.end());
      if (one_in(2) && out.size() > at + 4)
        out[at + 4 + below(static_cast<std::uint32_t>(out.size() - at - 4))] ^= 1;
      return end(out, at);
    case 3:
      return end(out, begin(out, kCookieAck, 0));
    case 4:
    case 5:
    case 6:
      return append_error(out, kError);
    case 7:
      if (one_in(20) && dares()) return append_error(out, kAbort);
      return append_forward_tsn(known, out, known.i_data != (one_in(8) && dares()));
    case 8:
      if (!one_in(10) || !dares()) return;
      at = begin(out, kShutdown, 0);
      put32(out, tsn_near(known.victim_acked));
      return end(out, at);
    case 9:
      return end(out, begin(out, kShutdownAck, 0));
    case 10:
      return end(out, begin(out, kShutdownComplete, below(2)));
    case 11:
      at = begin(out, kPad, 0);
      append_random(out, below(300));
      return end(out, at);
    case 12:
    case 13:
      if (!dares()) return;
      at = begin(out, below(256), below(256));  // A type that nobody knows, or one of the above.
      append_random(out, below(40));
      return end(out, at);
    case 14:
      return append_random(out, 1 + below(20));
    case 15:
      if (!dares()) return;
      known.i_data = !known.i_data;  // The wrong kind for once.
      append_data(known, out);
      known.i_data = !known.i_data;
      return;
    case 16:
      at = begin(out, kHeartbeatAck, 0);
      put16(out, 1);
      put16(out, static_cast<std::uint32_t>(4 + known.heartbeat.size()));
      out.insert(out.end(), known.heartbeat.begin(), known.heartbeat.end());
      return end(out, at);
    default:
      return append_data(known, out);
  }
}

void Attacker::append_data(Knowledge& known, Out& out) {
  const bool rash = dares();
  // A patient one leaves holes, but fills none with what contradicts its neighbours.
  if (!rash && one_in(4)) known.next_tsn += below(one_in(20) ? 3000 : 4);
  const std::uint32_t tsn = rash && one_in(3) ? tsn_near(known.next_tsn) : known.next_tsn++;
  const std::uint32_t flags = rash ? below(16) : 3 | (below(4) << 2);
  const std::size_t at = begin(out, known.i_data ? kIData : kData, flags);
  put32(out, tsn);
  put16(out, stream());
  if (known.i_data) {
    put16(out, one_in(8) ? below(65536) : 0);
    put32(out, one_in(4) ? rng_.next_u32() : below(60));
    put32(out, rash && one_in(4) ? rng_.next_u32() : below(6));
  } else {
    put16(out, one_in(4) ? below(65536) : below(60));
    put32(out, 50 + below(8));
  }
  append_random(out, rash && one_in(16) ? 0 : 1 + below(one_in(4) ? 1000 : 8));
  end(out, at);
}

// A message of the next TSNs that is as it should be, or nearly so: a part may be missing.
void Attacker::append_message(Knowledge& known, Out& out) {
  const std::uint32_t fragments = 1 + below(10);
  const std::uint16_t id = stream();
  const std::uint32_t number = below(6);
  const std::uint32_t unordered = one_in(3) ? 4 : 0;
  for (std::uint32_t i = 0; i < fragments; ++i) {
    const std::uint32_t tsn = known.next_tsn++;
    if (one_in(12)) continue;
    const std::uint32_t flags = unordered | (i == 0 ? 2 : 0) | (i + 1 == fragments ? 1 : 0);
    const std::size_t at = begin(out, known.i_data ? kIData : kData, flags);
    put32(out, tsn);
    put16(out, id);
    put16(out, known.i_data ? 0 : number);
    if (known.i_data) put32(out, number);
    put32(out, known.i_data && i > 0 ? i : 53);
    append_random(out, 1 + below(90));
    end(out, at);
  }
}

void Attacker::append_sack(Knowledge& known, Out& out) {
  const std::size_t at = begin(out, kSack, below(2) * below(256));
  const std::uint32_t span = known.victim_next - known.victim_acked;
  std::uint32_t cumulative = known.victim_acked;
  if (one_in(2) && span > 1 && span < 100000) {
    cumulative = known.victim_acked += below(span);
  } else if (one_in(4)) {
    cumulative = tsn_near(known.victim_acked);
  }
  const std::uint32_t gaps = one_in(3) ? below(one_in(10) ? 270 : 6) : 0;
  const std::uint32_t duplicates = one_in(6) ? below(20) : 0;
  put32(out, cumulative);
  put32(out, std::array<std::uint32_t, 5>{0, 1500, 1 << 20, 0xFFFFFFFFu, below(70000)}[below(5)]);
  put16(out, gaps);
  put16(out, duplicates);
  std::uint32_t offset = 1 + below(3);
  for (std::uint32_t i = 0; i < gaps; ++i) {
    const std::uint32_t length = one_in(20) ? below(65536) : below(3);
    put16(out, offset);
    put16(out, offset + length);
    offset += length + (one_in(10) ? 0 : 2 + below(3));
  }
  for (std::uint32_t i = 0; i < duplicates; ++i) put32(out, tsn_near(cumulative));
  end(out, at);
}

void Attacker::append_forward_tsn(Knowledge& known, Out& out, bool interleaved) {
  const std::size_t at = begin(out, interleaved ? kIForwardTsn : kForwardTsn, 0);
  std::uint32_t to = known.next_tsn + below(20) - 5;
  if (one_in(6)) to = tsn_near(known.next_tsn);
  if (to - known.next_tsn < 100000) known.next_tsn = to + 1;
  put32(out, to);
  for (std::uint32_t i = one_in(8) ? below(140) : below(4); i > 0; --i) {
    put16(out, stream());
    if (interleaved) put16(out, below(2));
    const std::uint32_t number = one_in(4) ? rng_.next_u32() : below(8);
    interleaved ? put32(out, number) : put16(out, number);
  }
  end(out, at);
}

void Attacker::append_reconfig(Knowledge& known, Out& out) {
  const std::size_t at = begin(out, kReconfig, 0);
  for (std::uint32_t i = one_in(4) ? 2 : 1; i > 0; --i) append_reconfig_parameter(known, out);
  end(out, at);
}

void Attacker::append_reconfig_parameter(Knowledge& known, Out& out) {
  const std::uint32_t type = 13 + below(one_in(10) ? 8 : 6);
  const std::size_t at = begin(out, 0, type);
  const auto streams = [&] {
    for (std::uint32_t i = one_in(10) ? below(300) : below(4); i > 0; --i) put16(out, stream());
  };
  const auto request = [&] {
    put32(out, one_in(4) ? tsn_near(known.next_request) : known.next_request++);
  };
  switch (type) {
    case 13:
      request();
      put32(out, known.victim_request - 1);
      put32(out, one_in(2) ? known.next_tsn - 1 : tsn_near(known.next_tsn));
      streams();
      break;
    case 14:
      request();
      streams();
      break;
    case 16:
      put32(out, one_in(3) ? tsn_near(known.victim_request) : known.victim_request);
      put32(out, below(one_in(8) ? 300 : 8));
      if (one_in(4)) append_random(out, 8);
      break;
    default:
      request();
      if (type > 15) put32(out, (one_in(2) ? below(5) : below(65536)) << 16);
      break;
  }
  end(out, at);
}

void Attacker::append_error(Out& out, std::uint8_t type) {
  const std::size_t at = begin(out, type, below(2));
  for (std::uint32_t i = below(one_in(8) ? 40 : 3); i > 0; --i) {
    const std::size_t cause = begin(out, 0, below(15));
    append_random(out, below(12));
    end(out, cause);
  }
  end(out, at);
}

void Attacker::append_init(const Knowledge& known, Out& out, std::uint8_t type) {
  const std::size_t at = begin(out, type, 0);
  put32(out, one_in(6) ? 0 : rng_.next_u32());
  put32(out, one_in(6) ? below(1500) : 1 << 20);
  put16(out, one_in(6) ? 0 : 1 + below(65535));
  put16(out, one_in(6) ? 0 : 1 + below(65535));
  put32(out, one_in(2) ? known.next_tsn : rng_.next_u32());
  static constexpr std::array<std::uint32_t, 12> kTypes{
      5, 6, 7, 8, 9, 11, 0x8000, 0x8001, 0x8008, 0xC000, 0x4444, 0xC123};
  for (std::uint32_t i = below(one_in(8) ? 60 : 5); i > 0; --i) {
    const std::uint32_t parameter = kTypes[below(kTypes.size())];
    const std::size_t begun = begin(out, parameter >> 8, parameter);
    append_random(out, below(20));
    end(out, begun);
  }
  end(out, at);
}

void Attacker::append_heartbeat(const Knowledge& known, Out& out) {
  const std::size_t at = begin(out, one_in(4) ? kHeartbeatAck : kHeartbeat, 0);
  const std::size_t info = begin(out, 0, one_in(10) ? below(4) : 1);
  if (one_in(3)) {
    out.insert(out.end(), known.heartbeat.begin(), known.heartbeat.end());
  } else {
    append_random(out, one_in(4) ? below(1100) : below(20));
  }
  end(out, info);
  end(out, at);
}

}  // namespace millrace::test
