// SPDX-License-Identifier: Apache-2.0
#include "engine/cli/output.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

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

std::optional<std::string> output_problem(const std::string& path) {
  if (path.empty() || path == "-") return std::nullopt;
  std::error_code error;
  const bool there = std::filesystem::exists(path, error);
  if (there && std::filesystem::is_directory(path, error)) {
    errno = EISDIR;
  } else {
    const std::filesystem::path parent = std::filesystem::path(path).parent_path();
    const std::string place = there ? path : parent.empty() ? "." : parent.string();
    if (::access(place.c_str(), W_OK) == 0) return std::nullopt;
  }
  return "cannot write '" + path + "': " + std::strerror(errno);
}

bool write_output(const std::string& path, const std::string& text, const std::string& program) {
  const bool to_stdout = path == "-";
  const bool written = to_stdout ? write_all(stdout, text, &std::fflush)
                                 : write_all(std::fopen(path.c_str(), "wb"), text, &std::fclose);
  if (written) return true;
  const std::string where = to_stdout ? "to stdout" : "'" + path + "'";
  std::fprintf(stderr, "%s: cannot write %s: %s\n", program.c_str(), where.c_str(),
               std::strerror(errno));
  return false;
}

}  // namespace millrace::cli
