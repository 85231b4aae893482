// SPDX-License-Identifier: Apache-2.0
#include "sctp/state_cookie.h"

#include <algorithm>

namespace millrace::sctp {
namespace {

// The layout is this end's own affair: only the end that wrote it reads it.
//
//   0       8        16        20       24        28       32
//   created lifetime local_tag peer_tag local_tsn peer_tsn peer_a_rwnd
//   36               38               40            44           48
//   outgoing_streams incoming_streams local_tie_tag peer_tie_tag extensions
//
constexpr std::uint32_t kMagic = 0x4d520000;  // "MR": a layout of this version.
constexpr std::uint32_t kForwardTsnBit = 1;
constexpr std::uint32_t kReconfigBit = 2;
constexpr std::uint32_t kZeroChecksumBit = 4;
constexpr std::uint32_t kIDataBit = 8;
constexpr std::uint32_t kPadBit = 16;
constexpr std::uint32_t kExtensionBits =
    kForwardTsnBit | kReconfigBit | kZeroChecksumBit | kIDataBit | kPadBit;

}  // namespace

StateCookie::Sealed StateCookie::seal(const Key& key, const Mac& mac) const {
  Sealed out{};
  std::uint8_t* const p = out.data();
  store_be64(p, static_cast<std::uint64_t>(created.time_since_epoch().count()));
  store_be64(p + 8, static_cast<std::uint64_t>(lifetime.count()));
  store_be32(p + 16, local_tag.value());
  store_be32(p + 20, peer_tag.value());
  store_be32(p + 24, local_initial_tsn.value());
  store_be32(p + 28, peer_initial_tsn.value());
  store_be32(p + 32, peer_a_rwnd);
  store_be16(p + 36, outgoing_streams);
  store_be16(p + 38, incoming_streams);
  store_be32(p + 40, local_tie_tag.value());
  store_be32(p + 44, peer_tie_tag.value());
  store_be32(p + 48, kMagic | (extensions.forward_tsn ? kForwardTsnBit : 0) |
                         (extensions.reconfig ? kReconfigBit : 0) |
                         (extensions.zero_checksum ? kZeroChecksumBit : 0) |
                         (extensions.i_data ? kIDataBit : 0) | (extensions.pad ? kPadBit : 0));
  const Sha256Digest digest = mac.hmac_sha256(key, ByteSpan(out).first(kBodySize), {});
  std::ranges::copy(digest, out.begin() + kBodySize);
  return out;
}

std::optional<StateCookie> StateCookie::open(ByteSpan bytes, const Key& key, const Mac& mac) {
  if (bytes.size() != kSize) return std::nullopt;
  const ByteSpan body = bytes.first(kBodySize);
  // RFC 9260 §5.1.5 (1, 2): the MAC is checked before anything inside is believed.
  if (!equal_in_constant_time(mac.hmac_sha256(key, body, {}), bytes.subspan(kBodySize))) {
    return std::nullopt;
  }
  const std::uint8_t* const p = body.data();
  const std::uint32_t extensions = load_be32(p + 48);
  if ((extensions & ~kExtensionBits) != kMagic) return std::nullopt;
  StateCookie cookie;
  cookie.created = Time(Duration(static_cast<Duration::rep>(load_be64(p))));
  cookie.lifetime = Duration(static_cast<Duration::rep>(load_be64(p + 8)));
  cookie.local_tag = VerificationTag(load_be32(p + 16));
  cookie.peer_tag = VerificationTag(load_be32(p + 20));
  cookie.local_initial_tsn = Tsn(load_be32(p + 24));
  cookie.peer_initial_tsn = Tsn(load_be32(p + 28));
  cookie.peer_a_rwnd = load_be32(p + 32);
  cookie.outgoing_streams = load_be16(p + 36);
  cookie.incoming_streams = load_be16(p + 38);
  cookie.local_tie_tag = VerificationTag(load_be32(p + 40));
  cookie.peer_tie_tag = VerificationTag(load_be32(p + 44));
  cookie.extensions.forward_tsn = (extensions & kForwardTsnBit) != 0;
  cookie.extensions.reconfig = (extensions & kReconfigBit) != 0;
  cookie.extensions.zero_checksum = (extensions & kZeroChecksumBit) != 0;
  cookie.extensions.i_data = (extensions & kIDataBit) != 0;
  cookie.extensions.pad = (extensions & kPadBit) != 0;
  return cookie;
}

}  // namespace millrace::sctp
