// SPDX-License-Identifier: Apache-2.0
#include "engine/base/text_file.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

namespace millrace {

Result<std::string, std::string> read_text_file(const std::string& path, std::size_t max_bytes) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"),
                                                             &std::fclose);
  std::string text(max_bytes + 1, '\0');
  if (file) text.resize(std::fread(text.data(), 1, text.size(), file.get()));
  if (!file || std::ferror(file.get()) != 0) {
    return Failure("cannot read '" + path + "': " + std::strerror(errno));
  }
  if (text.size() > max_bytes) {
    return Failure("'" + path + "' has more than " + std::to_string(max_bytes) + " bytes");
  }
  return text;
}

}  // namespace millrace
