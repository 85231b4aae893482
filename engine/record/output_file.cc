// SPDX-License-Identifier: Apache-2.0
#include "engine/record/output_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace millrace::engine {

Result<OutputFile, Error> OutputFile::create(const std::string& option, const std::string& path,
                                             Mode mode) {
  constexpr ::mode_t kOwner = S_IRUSR | S_IWUSR;
  const int appending = mode == Mode::kAppend ? O_APPEND : 0;
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | appending, kOwner);
  if (fd < 0) {
    return Failure(Error{option + ": cannot write '" + path + "': " + std::strerror(errno)});
  }
  OutputFile file(fd, option + ": cannot write '" + path + "'", mode);
  // A device or pipe has no mode to mend, nothing to lose and nobody to keep out.
  struct ::stat status {};
  if (::fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
    file.to_be_emptied_ = false;
    return file;
  }
  // File systems without locks are let be.
  if (mode == Mode::kAnew && ::flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    return Failure(Error{option + ": '" + path + "' is being written already"});
  }
  // One that was there keeps its mode otherwise.
  if (::fchmod(fd, kOwner) != 0) {
    return Failure(Error{option + ": '" + path + "' belongs to somebody else"});
  }
  return file;
}

OutputFile::OutputFile(OutputFile&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      name_(std::move(other.name_)),
      to_be_emptied_(other.to_be_emptied_),
      size_(other.size_),
      failure_(std::move(other.failure_)) {}

OutputFile::~OutputFile() {
  if (fd_ >= 0) ::close(fd_);
}

void OutputFile::empty() {
  if (std::exchange(to_be_emptied_, false) && ::ftruncate(fd_, 0) != 0) fail();
}

void OutputFile::fail() {
  failure_ = Error{name_ + ": " + std::strerror(errno)};
  ::close(std::exchange(fd_, -1));
}

std::optional<Error> OutputFile::take_failure() { return std::exchange(failure_, std::nullopt); }

bool OutputFile::write(ByteSpan bytes) {
  empty();
  while (fd_ >= 0 && !bytes.empty()) {
    const ssize_t n = ::write(fd_, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      fail();
      return false;
    }
    size_ += static_cast<std::uint64_t>(n);
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
  return fd_ >= 0;
}

}  // namespace millrace::engine
