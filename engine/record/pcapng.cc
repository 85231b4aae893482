// SPDX-License-Identifier: Apache-2.0
#include "engine/record/pcapng.h"

#include <array>

namespace millrace::engine::pcapng {
namespace {

// draft-ietf-opsawg-pcapng §4.
constexpr std::uint32_t kSectionHeader = 0x0A0D0D0A;
constexpr std::uint32_t kByteOrder = 0x1A2B3C4D;
constexpr std::uint32_t kInterface = 1;
constexpr std::uint32_t kStatistics = 5;
constexpr std::uint32_t kEnhancedPacket = 6;
constexpr std::uint32_t kSecrets = 10;
constexpr std::uint32_t kTlsKeyLog = 0x544c534b;

constexpr std::uint16_t kEndOfOptions = 0;
constexpr std::uint16_t kUserApplication = 4;  // shb_userappl
constexpr std::uint16_t kInterfaceName = 2;    // if_name
constexpr std::uint16_t kTimeResolution = 9;   // if_tsresol
constexpr std::uint16_t kPacketFlags = 2;      // epb_flags
constexpr std::uint16_t kPacketsReceived = 4;  // isb_ifrecv
constexpr std::uint16_t kPacketsDropped = 5;   // isb_ifdrop
constexpr std::uint8_t kNanoseconds = 9;       // 10^-9 s.
constexpr std::uint32_t kInbound = 1;
constexpr std::uint32_t kOutbound = 2;

constexpr std::size_t kUdpHeaderBytes = 8;
constexpr std::size_t kV4HeaderBytes = 20;
constexpr std::size_t kV6HeaderBytes = 40;
constexpr std::uint8_t kProtocolUdp = 17;
constexpr std::uint8_t kHopLimit = 64;

void le(Buffer& out, std::uint64_t value, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes; ++i, value >>= 8) {
    out.push_back(static_cast<std::uint8_t>(value));
  }
}
void be16(Buffer& out, std::size_t value) {
  out.push_back(static_cast<std::uint8_t>(value >> 8));
  out.push_back(static_cast<std::uint8_t>(value));
}
void append(Buffer& out, ByteSpan bytes) { out.insert(out.end(), bytes.begin(), bytes.end()); }
void pad(Buffer& out, std::size_t length) { out.resize(out.size() + (4 - length % 4) % 4); }

ByteSpan bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

void option(Buffer& out, std::uint16_t code, ByteSpan value) {
  le(out, code, 2);
  le(out, value.size(), 2);
  append(out, value);
  pad(out, value.size());
}
void number_option(Buffer& out, std::uint16_t code, std::uint64_t value, std::size_t bytes) {
  le(out, code, 2);
  le(out, bytes, 2);
  le(out, value, bytes);
  pad(out, bytes);
}
void end_of_options(Buffer& out) { option(out, kEndOfOptions, {}); }

// Block writes type and length around what is appended while it lives.
class Block {
 public:
  Block(Buffer& out, std::uint32_t type) : out_(out), start_(out.size()) {
    le(out_, type, 4);
    le(out_, 0, 4);
  }
  ~Block() {
    const std::size_t length = out_.size() + 4 - start_;
    le(out_, length, 4);
    for (std::size_t i = 0; i < 4; ++i) {
      out_[start_ + 4 + i] = static_cast<std::uint8_t>(length >> (8 * i));
    }
  }
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;

 private:
  Buffer& out_;
  std::size_t start_;
};

// RFC 1071, without the last complement.
std::uint32_t sum_of(ByteSpan bytes, std::uint32_t sum) {
  for (std::size_t i = 0; i + 1 < bytes.size(); i += 2) sum += load_be16(bytes.data() + i);
  if (bytes.size() % 2 != 0) sum += std::uint32_t{bytes.back()} << 8;
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return sum;
}

ByteSpan address_bytes(const IpAddress& ip) {
  return ByteSpan(ip.bytes).first(ip.is_v6() ? std::size_t{16} : std::size_t{4});
}

void ip_header(Buffer& out, const Packet& packet, std::size_t udp_bytes) {
  const std::size_t start = out.size();
  if (packet.source.ip.is_v6()) {
    out.insert(out.end(), {0x60, 0, 0, 0});
    be16(out, udp_bytes);
    out.insert(out.end(), {kProtocolUdp, kHopLimit});
  } else {
    out.insert(out.end(), {0x45, 0});
    be16(out, kV4HeaderBytes + udp_bytes);
    out.insert(out.end(), {0, 0, 0x40, 0, kHopLimit, kProtocolUdp, 0, 0});  // DF.
  }
  append(out, address_bytes(packet.source.ip));
  append(out, address_bytes(packet.destination.ip));
  if (packet.source.ip.is_v6()) return;
  const std::uint32_t sum = sum_of(ByteSpan(out).subspan(start, kV4HeaderBytes), 0);
  store_be16(&out[start + 10], static_cast<std::uint16_t>(~sum));
}

void udp_datagram(Buffer& out, const Packet& packet, std::size_t udp_bytes) {
  const std::size_t start = out.size();
  be16(out, packet.source.port);
  be16(out, packet.destination.port);
  be16(out, udp_bytes);
  be16(out, 0);
  append(out, packet.payload);
  // RFC 768, RFC 8200 §8.1: over a pseudo header; 0 is written as 0xffff.
  std::uint32_t sum = static_cast<std::uint32_t>(udp_bytes) + kProtocolUdp;
  sum = sum_of(address_bytes(packet.source.ip), sum);
  sum = sum_of(address_bytes(packet.destination.ip), sum);
  sum = sum_of(ByteSpan(out).subspan(start), sum);
  const auto checksum = static_cast<std::uint16_t>(~sum);
  store_be16(&out[start + 6], checksum == 0 ? std::uint16_t{0xffff} : checksum);
}

}  // namespace

//  0                   1                   2                   3
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |                   Block Type = 0x0A0D0D0A                     |
// |                      Block Total Length                       |
// |                      Byte-Order Magic                         |
// |          Major Version        |         Minor Version         |
// |                      Section Length (64)                      |
// /                      Options (variable)                       /
// |                      Block Total Length                       |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
void append_section_header(Buffer& out, std::string_view application) {
  const Block block(out, kSectionHeader);
  le(out, kByteOrder, 4);
  le(out, 1, 2);
  le(out, 0, 2);
  le(out, UINT64_MAX, 8);  // Length unknown: until the end of the file.
  option(out, kUserApplication, bytes_of(application));
  end_of_options(out);
}

void append_interface(Buffer& out, std::string_view name) {
  const Block block(out, kInterface);
  le(out, kLinkTypeRaw, 2);
  le(out, 0, 2);
  le(out, 0, 4);  // Nothing is cut off.
  option(out, kInterfaceName, bytes_of(name));
  option(out, kTimeResolution, ByteSpan(&kNanoseconds, 1));
  end_of_options(out);
}

//  0                   1                   2                   3
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |                    Block Type = 0x00000006                    |
// |                      Block Total Length                       |
// |                         Interface ID                          |
// |                       Timestamp (Upper)                       |
// |                       Timestamp (Lower)                       |
// |                    Captured Packet Length                     |
// |                    Original Packet Length                     |
// /                          Packet Data                          /
// /                      Options (variable)                       /
// |                      Block Total Length                       |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
void append_packet(Buffer& out, const Packet& packet) {
  const Block block(out, kEnhancedPacket);
  const std::size_t udp_bytes = kUdpHeaderBytes + packet.payload.size();
  const std::size_t length =
      udp_bytes + (packet.source.ip.is_v6() ? kV6HeaderBytes : kV4HeaderBytes);
  le(out, 0, 4);
  le(out, packet.unix_ns >> 32, 4);
  le(out, packet.unix_ns & 0xffffffff, 4);
  le(out, length, 4);
  le(out, length, 4);
  ip_header(out, packet, udp_bytes);
  udp_datagram(out, packet, udp_bytes);
  pad(out, length);
  number_option(out, kPacketFlags, packet.outbound ? kOutbound : kInbound, 4);
  end_of_options(out);
}

void append_secrets(Buffer& out, std::string_view key_log) {
  const Block block(out, kSecrets);
  le(out, kTlsKeyLog, 4);
  le(out, key_log.size(), 4);
  append(out, bytes_of(key_log));
  pad(out, key_log.size());
}

void append_statistics(Buffer& out, std::uint64_t unix_ns, std::uint64_t received,
                       std::uint64_t dropped) {
  const Block block(out, kStatistics);
  le(out, 0, 4);
  le(out, unix_ns >> 32, 4);
  le(out, unix_ns & 0xffffffff, 4);
  number_option(out, kPacketsReceived, received, 8);
  number_option(out, kPacketsDropped, dropped, 8);
  end_of_options(out);
}

}  // namespace millrace::engine::pcapng
