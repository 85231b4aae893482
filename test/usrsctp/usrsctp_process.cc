// SPDX-License-Identifier: Apache-2.0
#include "test/usrsctp/usrsctp_process.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "engine/base/check.h"

namespace millrace::test {

UsrsctpProcess::UsrsctpProcess(std::uint16_t udp_port, bool interleaving) {
  const char* const program = std::getenv("MILLRACE_USRSCTP_PEER");
  CHECK(program != nullptr);
  int to[2];
  int from[2];
  CHECK(::pipe2(to, O_CLOEXEC) == 0 && ::pipe2(from, O_CLOEXEC) == 0);
  const std::string port = std::to_string(udp_port);
  pid_ = ::fork();
  CHECK(pid_ >= 0);
  if (pid_ == 0) {
    ::dup2(to[0], STDIN_FILENO);
    ::dup2(from[1], STDOUT_FILENO);
    ::execl(program, program, port.c_str(), interleaving ? "interleaving" : nullptr, nullptr);
    ::_exit(127);
  }
  ::close(to[0]);
  ::close(from[1]);
  in_ = to[1];
  out_ = from[0];
  ::fcntl(out_, F_SETFL, O_NONBLOCK);
}

UsrsctpProcess::~UsrsctpProcess() { kill(); }

void UsrsctpProcess::kill() {
  if (pid_ < 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  ::close(in_);
  ::close(out_);
  pid_ = -1;
}

void UsrsctpProcess::order(const std::string& line) {
  const std::string text = line + "\n";
  CHECK(::write(in_, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
}

void UsrsctpProcess::read() {
  std::array<char, 4096> bytes;
  for (ssize_t got; (got = ::read(out_, bytes.data(), bytes.size())) > 0;) {
    partial_.append(bytes.data(), static_cast<std::size_t>(got));
  }
  for (std::size_t end; (end = partial_.find('\n')) != std::string::npos;) {
    lines_.push_back(partial_.substr(0, end));
    partial_.erase(0, end + 1);
  }
}

bool UsrsctpProcess::has_said(std::string_view beginning) {
  read();
  return std::ranges::any_of(lines_, [&](const auto& line) { return line.starts_with(beginning); });
}

std::string UsrsctpProcess::take(std::string_view beginning) {
  read();
  const auto found =
      std::ranges::find_if(lines_, [&](const auto& line) { return line.starts_with(beginning); });
  if (found == lines_.end()) return {};
  std::string line = *found;
  lines_.erase(lines_.begin(), found + 1);
  return line;
}

std::string UsrsctpProcess::heard() const {
  std::string all;
  for (const std::string& line : lines_) all += "[" + line + "]";
  return all;
}

std::uint16_t UsrsctpProcess::free_port() {
  const int probe = ::socket(AF_INET, SOCK_DGRAM, 0);
  sockaddr_in any{};
  any.sin_family = AF_INET;
  socklen_t size = sizeof(any);
  CHECK(::bind(probe, reinterpret_cast<sockaddr*>(&any), size) == 0);
  CHECK(::getsockname(probe, reinterpret_cast<sockaddr*>(&any), &size) == 0);
  ::close(probe);
  return ntohs(any.sin_port);
}

}  // namespace millrace::test
