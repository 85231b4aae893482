// SPDX-License-Identifier: Apache-2.0
//
// millrace-handshake: what a DTLS handshake costs with BoringSSL alone, the denominator of
// what connection set-up costs in the engine.
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "crypto/bench/handshake_bench.h"

namespace {

constexpr const char* kUsage =
    "usage: millrace-handshake [--count N] [--json FILE]\n"
    "CPU time of a DTLS 1.2 handshake with ECDSA P-256 certificates on both sides: two SSLs of\n"
    "BoringSSL over memory, one thread. Pin it with taskset.\n"
    "  --count N    Handshakes to measure, 1 to 100000 (300)\n"
    "  --json FILE  Write JSON; - is stdout\n";

int write_json(const millrace::crypto::HandshakeCost& cost, const char* path) {
  const bool to_stdout = std::strcmp(path, "-") == 0;
  std::FILE* const out = to_stdout ? stdout : std::fopen(path, "w");
  if (out == nullptr) {
    std::fprintf(stderr, "millrace-handshake: cannot write '%s'\n", path);
    return 1;
  }
  std::fprintf(out,
               "{\"handshakes\": %u, \"client_us\": %.1f, \"server_us\": %.1f, \"both_us\": %.1f, "
               "\"both_p10_us\": %.1f, \"both_p90_us\": %.1f}\n",
               cost.handshakes, cost.client_us, cost.server_us, cost.both_us, cost.both_p10_us,
               cost.both_p90_us);
  const bool written = std::ferror(out) == 0;
  return (to_stdout ? std::fflush(out) : std::fclose(out)) == 0 && written ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  unsigned long count = 300;
  const char* json = nullptr;
  for (int i = 1; i < argc; ++i) {
    const bool has_value = i + 1 < argc;
    if (std::strcmp(argv[i], "--help") == 0) return std::fputs(kUsage, stdout) < 0;
    if (std::strcmp(argv[i], "--json") == 0 && has_value) {
      json = argv[++i];
    } else if (std::strcmp(argv[i], "--count") == 0 && has_value) {
      char* end = nullptr;
      count = std::strtoul(argv[++i], &end, 10);
      if (*end != '\0' || count < 1 || count > 100'000) {
        std::fprintf(stderr, "millrace-handshake: --count: bad value '%s', expected 1 to 100000\n",
                     argv[i]);
        return 2;
      }
    } else {
      std::fprintf(stderr, "millrace-handshake: unexpected '%s'\n%s", argv[i], kUsage);
      return 2;
    }
  }
  const auto cost = millrace::crypto::measure_plain_handshakes(static_cast<unsigned>(count));
  if (!cost) {
    std::fputs("millrace-handshake: a handshake failed\n", stderr);
    return 1;
  }
  if (json != nullptr) return write_json(*cost, json);
  std::printf("%u handshakes: client %.0f us, server %.0f us, both %.0f us (%.0f to %.0f)\n",
              cost->handshakes, cost->client_us, cost->server_us, cost->both_us, cost->both_p10_us,
              cost->both_p90_us);
  return 0;
}
