// SPDX-License-Identifier: Apache-2.0
// Drives two associations, their timers and the path between them by the bytes of the
// input: one operation a byte, arguments from the bytes behind it. Half of the operations
// are the application's, half a hostile path's or peer's.
#include <array>
#include <cstdint>

#include "sctp/crc32c.h"
#include "test/support/association_pair.h"

namespace millrace {
namespace {

using sctp::StreamId;
using test::AssociationPair;
using test::Bytes;

void send(AssociationPair& pair, int end, ByteReader& in) {
  const std::size_t size = in.u16().value_or(1) % 5000;
  const std::uint8_t flags = in.u8().value_or(0);
  sctp::SendOptions options;
  options.unordered = (flags & 1) != 0;
  if ((flags & 2) != 0) options.max_retransmits = flags >> 6;
  if ((flags & 4) != 0) options.max_lifetime = milliseconds(flags >> 3);
  if ((flags & 6) == 0 && (flags & 8) != 0) options.priority = flags >> 6;
  static_cast<void>(pair[end].send(pair.now(), StreamId(flags % 5), sctp::kPpidBinary,
                                   Bytes(size, flags), options));
}

// A packet of the peer's, changed at a few places and sealed again.
void mutate(AssociationPair& pair, int end, ByteReader& in) {
  auto& sent = pair.sent(1 - end);
  if (sent.empty()) return;
  Bytes packet = sent[in.u8().value_or(0) % sent.size()];
  const int changes = in.u8().value_or(0) % 8;
  for (int i = 0; i < changes; ++i) {
    const std::size_t at = in.u16().value_or(12) % packet.size();
    packet[at] = in.u8().value_or(0);
  }
  sctp::CommonHeader::store_checksum(packet.data() + sctp::CommonHeader::kChecksumOffset,
                                     sctp::packet_checksum(packet));
  pair.inject(end, packet);
}

// Chunks straight from the input, under the tag of the peer's last packet.
void forge(AssociationPair& pair, int end, ByteReader& in) {
  auto& sent = pair.sent(1 - end);
  if (sent.empty()) return;
  const std::size_t size = in.u8().value_or(0);
  const ByteSpan chunks = in.take(std::min(size, in.remaining())).value_or(ByteSpan());
  Bytes packet(sctp::CommonHeader::kBytes + chunks.size());
  std::copy_n(sent.back().begin(), sctp::CommonHeader::kBytes, packet.begin());
  std::copy(chunks.begin(), chunks.end(), packet.begin() + sctp::CommonHeader::kBytes);
  sctp::CommonHeader::store_checksum(packet.data() + sctp::CommonHeader::kChecksumOffset,
                                     sctp::packet_checksum(packet));
  pair.inject(end, packet);
}

void reset(AssociationPair& pair, int end, ByteReader& in) {
  const std::array streams{StreamId(in.u8().value_or(0) % 5)};
  pair[end].reset_streams(pair.now(), streams);
}

void operate(AssociationPair& pair, std::uint8_t operation, ByteReader& in) {
  const int end = operation & 1;
  switch ((operation >> 1) % 12) {
    case 0:
      return pair[end].connect(pair.now());
    case 1:
      return send(pair, end, in);
    case 2:
      return reset(pair, end, in);
    case 3:
      return mutate(pair, end, in);
    case 4:
      return forge(pair, end, in);
    case 5:
      return pair.run_for(milliseconds(in.u8().value_or(0)));
    case 6:
      return pair.run_for(seconds(in.u8().value_or(0) % 20));
    case 7:
      pair.link().loss = in.u8().value_or(0) / 512.0;
      return;
    case 8:
      pair.link().duplicate = in.u8().value_or(0) / 512.0;
      return;
    case 9:
      pair.link().reorder = in.u8().value_or(0) / 256.0;
      return;
    case 10:
      return in.u8().value_or(0) < 16 ? pair[end].shutdown(pair.now()) : void();
    default:
      return in.u8().value_or(0) < 8 ? pair[end].abort(pair.now(), "fuzz") : void();
  }
}

}  // namespace
}  // namespace millrace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using millrace::test::AssociationPair;
  constexpr int kMaxOperations = 200;
  millrace::ByteReader in({data, size});
  // Both kinds of chunk have their share of inputs; where only one end offers I-DATA, DATA.
  millrace::sctp::Options a;
  millrace::sctp::Options b;
  a.extensions.i_data = size % 2 == 0;
  b.extensions.i_data = size % 8 != 0;
  AssociationPair pair(a, b, {}, size);
  for (int i = 0; i < kMaxOperations; ++i) {
    const auto operation = in.u8();
    if (!operation) break;
    millrace::operate(pair, *operation, in);
    pair.drain();
    for (const int end : {AssociationPair::kA, AssociationPair::kB}) {
      pair.events(end).clear();
      if (pair.sent(end).size() > 256) {
        pair.sent(end).erase(pair.sent(end).begin(), pair.sent(end).end() - 64);
      }
    }
  }
  return 0;
}
