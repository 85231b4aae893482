// SPDX-License-Identifier: Apache-2.0
#include "engine/record/output_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace millrace::engine {

Result<OutputFile, Error> OutputFile::create(const std::string& option, const std::string& path) {
  constexpr ::mode_t kOwner = S_IRUSR | S_IWUSR;
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, kOwner);
  if (fd < 0) {
    return Failure(Error{option + ": cannot write '" + path + "': " + std::strerror(errno)});
  }
  // One that was there keeps its mode otherwise. A device or pipe has no need of it.
  struct ::stat status {};
  if (::fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && ::fchmod(fd, kOwner) != 0) {
    ::close(fd);
    return Failure(Error{option + ": '" + path + "' belongs to somebody else"});
  }
  return OutputFile(fd);
}

OutputFile::OutputFile(OutputFile&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), size_(other.size_) {}

OutputFile::~OutputFile() {
  if (fd_ >= 0) ::close(fd_);
}

bool OutputFile::write(ByteSpan bytes) {
  while (fd_ >= 0 && !bytes.empty()) {
    const ssize_t n = ::write(fd_, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      ::close(std::exchange(fd_, -1));
      return false;
    }
    size_ += static_cast<std::uint64_t>(n);
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
  return fd_ >= 0;
}

}  // namespace millrace::engine
