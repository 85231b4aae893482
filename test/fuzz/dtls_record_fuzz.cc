// SPDX-License-Identifier: Apache-2.0

// Drives record splitting and DtlsSession::handle_datagram with hostile datagrams. The
// first byte of the input chooses a session: a server before its handshake, or one end of
// an established pair. The rest is datagrams, each after a length of two bytes.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "crypto/dtls_test_support.h"
#include "engine/base/check.h"

namespace millrace::crypto {
namespace {

// What may be queued and held, and the flight that is sent.
constexpr std::size_t kMemoryBound =
    DtlsSession::kMaxQueuedInputBytes + DtlsSession::kMaxHeldBytes + 8192;

void split(MutableByteSpan datagram) {
  RecordReader reader(datagram);
  std::size_t taken = 0;
  while (const auto record = reader.next()) {
    CHECK(record->bytes.data() == datagram.data() + taken);
    CHECK(record->bytes.size() == kRecordHeaderBytes + record->header.length);
    taken += record->bytes.size();
  }
  CHECK(taken <= datagram.size());
  CHECK(reader.drop_reason().has_value() == (taken != datagram.size()));
}

void feed(DtlsEnd& end, ByteReader input, bool established) {
  Time now = Time{} + seconds(1);
  while (const auto length = input.u16()) {
    const std::size_t n = std::min<std::size_t>(*length, input.remaining());
    const ByteSpan datagram = *input.take(n);
    Bytes copy(datagram.begin(), datagram.end());
    split(copy);
    end.receive(now, datagram);
    now += milliseconds(30);
    end.session->handle_timeout(now);
    end.drain(now);
    // Nothing that was not sealed by the peer gets through, and no key comes from noise.
    CHECK(end.received.empty());
    CHECK(!established || end.session->established());
    CHECK(established || end.session->record_keys() == nullptr);
    CHECK(end.session->handshake_memory() <= kMemoryBound);
    CHECK(!end.nonces.reused());
  }
}

}  // namespace
}  // namespace millrace::crypto

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace millrace::crypto;
  millrace::ByteReader input({data, size});
  const auto choice = input.u8();
  if (!choice) return 0;
  if (*choice % 2 == 0) {
    DtlsPair pair;
    pair.start();
    feed(pair.server(), input, false);
    return 0;
  }
  // One established pair serves all inputs: its ends are to shrug all of them off.
  static DtlsPair& pair = *[] {
    static DtlsPair made;
    CHECK(made.establish());
    return &made;
  }();
  feed(*choice % 4 == 1 ? pair.server() : pair.client(), input, true);
  return 0;
}
