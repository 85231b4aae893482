// SPDX-License-Identifier: Apache-2.0
//
// CRC32c, and SCTP packets of DATA chunks built and parsed.
#include <vector>

#include "bench/micro/report.h"
#include "engine/base/check.h"
#include "sctp/crc32c.h"
#include "sctp/packet/packet_writer.h"

namespace millrace::bench {
namespace {

void checksum(benchmark::State& state) {
  const std::vector<std::uint8_t> bytes(static_cast<std::size_t>(state.range(0)), 0x5a);
  measure(state, [&] {
    benchmark::DoNotOptimize(sctp::crc32c(bytes));
    return 1u;
  });
}
BENCHMARK(checksum)->Name("Crc32c")->Arg(16)->Arg(64)->Arg(128)->Arg(256)->Arg(1200)->Arg(9000);

constexpr std::size_t kPacketBytes = 1160;

std::size_t build(std::vector<std::uint8_t>& packet, ByteSpan payload, std::size_t chunks) {
  sctp::PacketWriter writer(
      packet,
      {.source_port = 5000, .destination_port = 5000, .verification_tag = {}, .checksum = 0});
  for (std::size_t i = 0; i < chunks; ++i) {
    const sctp::DataChunkHeader header{sctp::Tsn(static_cast<std::uint32_t>(i)),
                                       sctp::StreamId(1),
                                       sctp::Ssn(1),
                                       sctp::Ppid(53),
                                       {}};
    CHECK(writer.append_data(header, payload));
  }
  return writer.finish();
}

// The argument is the number of DATA chunks that fill the packet.
void packet_build(benchmark::State& state) {
  const auto chunks = static_cast<std::size_t>(state.range(0));
  const std::vector<std::uint8_t> payload((kPacketBytes - 12) / chunks / 4 * 4 - 16, 0x5a);
  std::vector<std::uint8_t> packet(kPacketBytes);
  measure(state, [&] {
    benchmark::DoNotOptimize(build(packet, payload, chunks));
    benchmark::ClobberMemory();
    return 1u;
  });
}
BENCHMARK(packet_build)->Name("PacketBuild/chunks")->Arg(1)->Arg(10);

void packet_parse(benchmark::State& state) {
  const auto chunks = static_cast<std::size_t>(state.range(0));
  const std::vector<std::uint8_t> payload((kPacketBytes - 12) / chunks / 4 * 4 - 16, 0x5a);
  std::vector<std::uint8_t> packet(kPacketBytes);
  packet.resize(build(packet, payload, chunks));
  measure(state, [&] {
    const auto header = sctp::CommonHeader::parse(packet);
    CHECK(header && header->checksum == sctp::packet_checksum(packet));
    sctp::ChunkReader reader(ByteSpan(packet).subspan(sctp::CommonHeader::kBytes));
    std::size_t found = 0;
    while (const auto chunk = reader.next()) {
      auto data = sctp::DataChunkView::parse(chunk->bytes);
      benchmark::DoNotOptimize(data);
      found += data ? 1u : 0u;
    }
    CHECK(found == chunks);
    return 1u;
  });
}
BENCHMARK(packet_parse)->Name("PacketParse/chunks")->Arg(1)->Arg(10);

}  // namespace
}  // namespace millrace::bench
