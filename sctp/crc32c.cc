// SPDX-License-Identifier: Apache-2.0
#include "sctp/crc32c.h"

#include <isa-l/crc.h>

#include <array>

#include "sctp/packet/common_header.h"

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace millrace::sctp {
namespace {

// Below this size the instruction's own latency costs less than ISA-L's set-up of
// three parallel streams and their folding.
[[maybe_unused]] constexpr std::size_t kFoldingPays = 100;

std::uint32_t extend_by_isal(std::uint32_t state, ByteSpan bytes) {
  constexpr std::size_t kMaxCall = std::size_t{1} << 30;  // ISA-L takes an int.
  while (!bytes.empty()) {
    const ByteSpan part = bytes.first(bytes.size() < kMaxCall ? bytes.size() : kMaxCall);
    // ISA-L only reads, whatever its prototype says.
    state =
        crc32_iscsi(const_cast<std::uint8_t*>(part.data()), static_cast<int>(part.size()), state);
    bytes = bytes.subspan(part.size());
  }
  return state;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) std::uint32_t extend_by_instruction(std::uint32_t state,
                                                                      ByteSpan bytes) {
  const std::uint8_t* p = bytes.data();
  std::size_t left = bytes.size();
  std::uint64_t wide = state;
  for (; left >= 8; p += 8, left -= 8) {
    wide = _mm_crc32_u64(wide, __builtin_bswap64(load_be64(p)));
  }
  state = static_cast<std::uint32_t>(wide);
  for (; left > 0; ++p, --left) state = _mm_crc32_u8(state, *p);
  return state;
}

bool has_instruction() { return __builtin_cpu_supports("sse4.2") != 0; }
#else
std::uint32_t extend_by_instruction(std::uint32_t state, ByteSpan bytes) {
  return extend_by_isal(state, bytes);
}
constexpr bool has_instruction() { return false; }
#endif

std::uint32_t extend(std::uint32_t state, ByteSpan bytes) {
  if (bytes.size() < kFoldingPays && has_instruction()) return extend_by_instruction(state, bytes);
  return extend_by_isal(state, bytes);
}

}  // namespace

void Crc32c::update(ByteSpan piece) { state_ = extend(state_, piece); }

std::uint32_t crc32c(ByteSpan bytes) {
  Crc32c crc;
  crc.update(bytes);
  return crc.value();
}

std::uint32_t packet_checksum(ByteSpan packet) {
  CHECK(packet.size() >= CommonHeader::kBytes);
  std::array<std::uint8_t, CommonHeader::kBytes> head{};
  for (std::size_t i = 0; i < CommonHeader::kChecksumOffset; ++i) head[i] = packet[i];
  Crc32c crc;
  crc.update(head);
  crc.update(packet.subspan(CommonHeader::kBytes));
  return crc.value();
}

}  // namespace millrace::sctp
