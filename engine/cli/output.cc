// SPDX-License-Identifier: Apache-2.0
#include "engine/cli/output.h"

#include <cstdio>

namespace millrace::cli {
namespace {

// What stdio still holds is not written yet: closing a file tells of it, and flushing stdout.
bool write_all(std::FILE* file, const std::string& text, int (*finish)(std::FILE*)) {
  if (file == nullptr) return false;
  bool written = std::fwrite(text.data(), 1, text.size(), file) == text.size();
  written &= std::ferror(file) == 0;
  return finish(file) == 0 && written;
}

}  // namespace

bool write_output(const std::string& path, const std::string& text, const std::string& program) {
  const bool to_stdout = path == "-";
  const bool written = to_stdout ? write_all(stdout, text, &std::fflush)
                                 : write_all(std::fopen(path.c_str(), "wb"), text, &std::fclose);
  if (written) return true;
  const std::string where = to_stdout ? "to stdout" : "'" + path + "'";
  std::fprintf(stderr, "%s: cannot write %s\n", program.c_str(), where.c_str());
  return false;
}

}  // namespace millrace::cli
