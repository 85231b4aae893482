// SPDX-License-Identifier: Apache-2.0
#include <benchmark/benchmark.h>

#include <string>

#include "bench/support/instruction_counter.h"
#include "crypto/record_keys.h"

int main(int argc, char** argv) {
  using millrace::bench::InstructionCounter;
  benchmark::AddCustomContext("instructions", InstructionCounter().read()
                                                  ? "from the CPU's counter"
                                                  : "n/a: this machine has no counter for them");
  benchmark::AddCustomContext(
      "aead", std::string(millrace::crypto::backend_name(millrace::crypto::best_backend())));
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
