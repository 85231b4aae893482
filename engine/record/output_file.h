// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

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
  enum class Mode : std::uint8_t {
    kAnew,    // What was there goes by `empty` or the first write; nobody else may write it.
    kAppend,  // Others may append as well.
  };

  // Makes the file where there is none. The error names `option` and the path.
  static Result<OutputFile, Error> create(const std::string& option, const std::string& path,
                                          Mode mode = Mode::kAnew);
  OutputFile(OutputFile&& other) noexcept;
  OutputFile& operator=(OutputFile&&) = delete;
  ~OutputFile();

  // Takes away what was there, once it is sure that something will be written in its place.
  void empty();
  // False once a write has failed; nothing more is then written.
  bool write(ByteSpan bytes);
  std::uint64_t size() const { return size_; }
  // Why, once.
  std::optional<Error> take_failure();

 private:
  void fail();
  OutputFile(int fd, std::string name, Mode mode)
      : fd_(fd), name_(std::move(name)), to_be_emptied_(mode == Mode::kAnew) {}

  int fd_;
  std::string name_;  // Option and path, for errors.
  bool to_be_emptied_;
  std::uint64_t size_ = 0;
  std::optional<Error> failure_;
};

}  // namespace millrace::engine
