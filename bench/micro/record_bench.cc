// SPDX-License-Identifier: Apache-2.0
#include <vector>

#include "bench/micro/report.h"
#include "crypto/record_header.h"
#include "engine/base/check.h"

namespace millrace::bench {
namespace {

// A datagram of 1200 bytes split into its records.
void record_parse(benchmark::State& state) {
  const auto records = static_cast<std::size_t>(state.range(0));
  std::vector<std::uint8_t> datagram(1200);
  const std::size_t bytes = datagram.size() / records;
  for (std::size_t i = 0; i < records; ++i) {
    std::uint8_t* const header = datagram.data() + i * bytes;
    header[0] = static_cast<std::uint8_t>(crypto::ContentType::kApplicationData);
    store_be16(header + 1, crypto::kDtls12Version);
    store_be16(header + 3, 1);
    store_be16(header + 11, static_cast<std::uint16_t>(bytes - crypto::kRecordHeaderBytes));
  }
  measure(state, [&] {
    crypto::RecordReader reader(datagram);
    std::uint64_t found = 0;
    while (auto record = reader.next()) {
      benchmark::DoNotOptimize(record);
      ++found;
    }
    CHECK(found == records);
    return found;
  });
}
BENCHMARK(record_parse)->Name("RecordParse/records_in_datagram")->Arg(1)->Arg(4);

}  // namespace
}  // namespace millrace::bench
