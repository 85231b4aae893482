// SPDX-License-Identifier: Apache-2.0
#include <arpa/inet.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>

#include "engine/cli/load_command.h"

namespace millrace::cli {
namespace {

// The local address of a UDP socket connected to `to`: the kernel asks its routes, and
// nothing is sent.
std::optional<std::string> source_of(const addrinfo& to) {
  const int fd = ::socket(to.ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return std::nullopt;
  sockaddr_storage local{};
  socklen_t length = sizeof(local);
  const bool found = ::connect(fd, to.ai_addr, to.ai_addrlen) == 0 &&
                     ::getsockname(fd, reinterpret_cast<sockaddr*>(&local), &length) == 0;
  ::close(fd);
  char text[NI_MAXHOST];
  if (!found || ::getnameinfo(reinterpret_cast<const sockaddr*>(&local), length, text, sizeof(text),
                              nullptr, 0, NI_NUMERICHOST) != 0) {
    return std::nullopt;
  }
  return std::string(text);
}

}  // namespace

Result<std::string, Error> local_address_towards(const std::string& host, const std::string& port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_DGRAM;
  addrinfo* found = nullptr;
  const int failed = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &found);
  if (failed != 0) {
    return Failure(Error{"target: cannot look up '" + host + "': " + ::gai_strerror(failed)});
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, &::freeaddrinfo);
  for (const addrinfo* each = found; each != nullptr; each = each->ai_next) {
    if (auto source = source_of(*each)) return *source;
  }
  return Failure(Error{"target: there is no route to '" + host + "'"});
}

}  // namespace millrace::cli
