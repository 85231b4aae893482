// SPDX-License-Identifier: Apache-2.0
//
// Runs a fuzz target over every file of a corpus directory, so that what a fuzzer once
// found stays found in builds without one.
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s CORPUS\n", argv[0]);
    return 2;
  }
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(argv[1])) {
    std::ifstream in(entry.path(), std::ios::binary);
    const std::vector<char> text((std::istreambuf_iterator<char>(in)),
                                 std::istreambuf_iterator<char>());
    const std::vector<std::uint8_t> bytes(text.begin(), text.end());
    // Every prefix as well: a truncation is the commonest damage.
    for (std::size_t n = 0; n <= bytes.size(); n = n < 64 ? n + 1 : n + 61) {
      LLVMFuzzerTestOneInput(bytes.data(), n);
    }
    LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
    ++files;
  }
  std::printf("%d inputs\n", files);
  return files == 0 ? 1 : 0;
}
