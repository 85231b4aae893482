// SPDX-License-Identifier: Apache-2.0
#include <benchmark/benchmark.h>

#include "bench/support/instruction_counter.h"
#include "crypto/record_keys.h"

int main(int argc, char** argv) {
  using millrace::bench::InstructionCounter;
  namespace crypto = millrace::crypto;
  benchmark::AddCustomContext("instructions", InstructionCounter().read()
                                                  ? "from the CPU's counter"
                                                  : "n/a: this machine has no counter for them");
  benchmark::AddCustomContext(
      "aead", crypto::best_backend() == crypto::AeadBackend::kIpsecMb ? "ipsec-mb" : "BoringSSL");
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
