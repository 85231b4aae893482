// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "engine/base/bytes.h"
#include "engine/base/result.h"
#include "millrace/types.h"

namespace millrace::engine {

// What is gathered before it is written.
inline constexpr std::size_t kWriteBytes = std::size_t{256} << 10;

// OutputFile is a file that only its owner may read: captures hold keys, and traces tell who
// spoke with whom. It keeps no copy of what was written.
class OutputFile {
 public:
  // Makes or empties the file. The error names `option` and the path.
  static Result<OutputFile, Error> create(const std::string& option, const std::string& path);
  OutputFile(OutputFile&& other) noexcept;
  OutputFile& operator=(OutputFile&&) = delete;
  ~OutputFile();

  // False once a write has failed; nothing more is then written.
  bool write(ByteSpan bytes);
  std::uint64_t size() const { return size_; }

 private:
  explicit OutputFile(int fd) : fd_(fd) {}

  int fd_;
  std::uint64_t size_ = 0;
};

}  // namespace millrace::engine
