// SPDX-License-Identifier: Apache-2.0
#include "bench/micro/attack_workloads.h"

#include <algorithm>
#include <array>
#include <vector>

#include "engine/base/check.h"
#include "sctp/packet/forward_tsn_chunk.h"
#include "sctp/packet/i_data_chunk.h"
#include "sctp/packet/i_forward_tsn_chunk.h"
#include "sctp/packet/reconfig_chunk.h"

namespace millrace::bench {
namespace {

using test::Attacker;
using test::Bytes;
using test::Siege;

constexpr int kSieges = 16;  // With each kind of chunk.
constexpr int kSteps = 1500;
// As many TSNs beyond the cumulative one may be open; so many of them come, each behind a gap.
constexpr std::uint32_t kSpan = 65535;
constexpr std::uint32_t kFragments = 1000;
constexpr std::uint32_t kStride = kSpan / kFragments;
constexpr std::uint16_t kStreams = 300;  // What a Siege negotiates.
// A place between two TSNs is charged to the window: so large a one has room for the span.
constexpr std::size_t kWideWindow = std::size_t{16} << 20;

// The fragments of one packet, or its only chunk, behind one another.
class Chunks {
 public:
  template <class Chunk>
  void append(const Chunk& chunk) {
    const std::size_t at = bytes_.size();
    bytes_.resize(at + chunk.size());
    chunk.write(MutableByteSpan(bytes_).subspan(at));
  }
  // Its payload is four bytes.
  template <class Header>
  void append_data(const Header& header) {
    const std::size_t at = bytes_.size();
    bytes_.resize(at + Header::kBytes + 4, 1);
    header.write(bytes_.data() + at, 4);
  }
  // Whether one more DATA fits.
  bool is_full() const { return bytes_.size() + 24 > Attacker::kMaxBytes; }
  void give(Siege& siege) {
    siege.give(bytes_);
    bytes_.clear();
  }

 private:
  Bytes bytes_;
};

void append_data(Chunks& chunks, bool i_data, std::uint32_t tsn, std::uint16_t stream,
                 std::uint32_t number, sctp::DataFlags flags) {
  if (i_data) {
    chunks.append_data(sctp::IDataChunkHeader{.tsn = sctp::Tsn(tsn),
                                              .stream = sctp::StreamId(stream),
                                              .mid = sctp::Mid(number),
                                              .ppid = sctp::kPpidBinary,
                                              .flags = flags});
  } else {
    chunks.append_data(sctp::DataChunkHeader{.tsn = sctp::Tsn(tsn),
                                             .stream = sctp::StreamId(stream),
                                             .ssn = sctp::Ssn(static_cast<std::uint16_t>(number)),
                                             .ppid = sctp::kPpidBinary,
                                             .flags = flags});
  }
}

// Beginnings of messages without their ends, all over the span and the streams.
void open_messages(Siege& siege) {
  const bool i_data = siege.knowledge().i_data;
  Chunks chunks;
  for (std::uint32_t i = 0; i < kFragments; ++i) {
    append_data(chunks, i_data, siege.knowledge().next_tsn + 1 + i * kStride,
                static_cast<std::uint16_t>(i % kStreams), i / kStreams, {.beginning = true});
    if (chunks.is_full()) chunks.give(siege);
  }
  chunks.give(siege);
}

Chunks forward_tsn(const test::Knowledge& known) {
  const sctp::Tsn to(known.next_tsn - 1 + kSpan);
  const std::size_t room = Attacker::kMaxBytes - 8;
  Chunks chunks;
  if (known.i_data) {
    std::vector<sctp::SkippedMessages> skipped;
    for (std::uint16_t i = 0; i < room / 8; ++i) {
      skipped.push_back({sctp::StreamId(i), false, sctp::Mid(kFragments / kStreams)});
    }
    chunks.append(sctp::IForwardTsnChunk{to, skipped});
  } else {
    std::vector<sctp::SkippedStream> skipped;
    for (std::uint16_t i = 0; i < room / 4; ++i) {
      skipped.push_back({sctp::StreamId(i), sctp::Ssn(kFragments / kStreams)});
    }
    chunks.append(sctp::ForwardTsnChunk{to, skipped});
  }
  return chunks;
}

// A message each way on every stream.
void use_streams(Siege& siege) {
  Chunks chunks;
  for (std::uint16_t stream = 0; stream < kStreams; ++stream) {
    siege.send(stream, 4, {});
    append_data(chunks, false, siege.knowledge().next_tsn++, stream, 0,
                {.beginning = true, .ending = true});
    if (chunks.is_full()) chunks.give(siege);
  }
  chunks.give(siege);
}

Chunks reset_all(const test::Knowledge& known) {
  std::array<std::uint8_t, 64> memory;
  sctp::TlvWriter parameters(memory);
  parameters.append(
      sctp::OutgoingSsnResetRequest{.request_seq = sctp::ReconfigSeq(known.next_request),
                                    .response_seq = sctp::ReconfigSeq(known.victim_request - 1),
                                    .last_assigned_tsn = sctp::Tsn(known.next_tsn - 1),
                                    .streams = {}});
  parameters.append(sctp::IncomingSsnResetRequest{
      .request_seq = sctp::ReconfigSeq(known.next_request + 1), .streams = {}});
  Chunks chunks;
  chunks.append(sctp::ReconfigChunk{parameters.bytes()});
  return chunks;
}

Chunks prepare(Attack attack, Siege& siege) {
  test::Knowledge& known = siege.knowledge();
  switch (attack) {
    case Attack::kForwardTsn:
    case Attack::kIForwardTsn:
      open_messages(siege);
      return forward_tsn(known);
    case Attack::kResetAll:
      use_streams(siege);
      return reset_all(known);
    case Attack::kFarData:
      break;
  }
  Chunks chunks;
  append_data(chunks, false, known.next_tsn - 1 + kSpan, 0, 0, {.beginning = true, .ending = true});
  return chunks;
}

// An attack that is thrown out at the door would cost little.
void check_taken(Attack attack, const Siege& siege) {
  const sctp::Association& association = siege.association();
  const sctp::Stats stats = association.stats();
  CHECK(association.is_connected());
  const std::uint32_t resets = attack == Attack::kResetAll ? 1 : 0;
  CHECK(association.incoming_generation(sctp::StreamId(kStreams - 1)) == resets);
  CHECK(std::ranges::all_of(stats.drops, [](std::uint64_t n) { return n == 0; }));
}

}  // namespace

std::uint64_t besiege(const AroundPacket& around) {
  std::uint64_t packets = 0;
  for (int round = 0; round < 2 * kSieges; ++round) {
    SeededRng rng(static_cast<std::uint64_t>(round));
    for (int steps = 0; steps < kSteps;) {
      Attacker attacker(rng, rng.below(4) != 0);
      Siege siege(round % 2 != 0, rng.next());
      siege.around_packet = [&](bool begins) {
        packets += begins;
        around(begins);
      };
      for (; steps < kSteps && !siege.association().is_closed(); ++steps) {
        test::take_step(siege, attacker, rng);
      }
    }
  }
  return packets;
}

std::uint64_t strike(Attack attack, int times, const AroundPacket& around) {
  for (int i = 0; i < times; ++i) {
    Siege siege(attack == Attack::kIForwardTsn, 1, kWideWindow);
    Chunks chunks = prepare(attack, siege);
    siege.around_packet = around;
    chunks.give(siege);
    check_taken(attack, siege);
  }
  return static_cast<std::uint64_t>(times);
}

}  // namespace millrace::bench
