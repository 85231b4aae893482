// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/base/check.h"
#include "sctp/dcep/dcep_message.h"

// What parses must be written back byte for byte, the ignored parameter of reliable
// channels apart.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using millrace::sctp::AckMessage;
  using millrace::sctp::OpenMessage;
  const millrace::ByteSpan message(data, size);
  const bool ack = AckMessage::parse(message);
  const std::optional<OpenMessage> open = OpenMessage::parse(message);
  CHECK(!(ack && open));
  if (!open) return 0;
  std::vector<std::uint8_t> written(open->size());
  open->write(written);
  CHECK(written.size() == size);
  const bool reliable =
      !open->reliability.max_retransmits && !open->reliability.max_packet_life_time_ms;
  if (reliable) std::copy_n(data + 4, 4, written.begin() + 4);
  CHECK(std::equal(written.begin(), written.end(), data));
  return 0;
}
