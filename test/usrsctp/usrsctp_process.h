// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::test {

// UsrsctpProcess is usrsctp_peer.cc as a child process; see there for what it obeys and says.
// The program's path is in the environment: MILLRACE_USRSCTP_PEER.
class UsrsctpProcess {
 public:
  UsrsctpProcess(std::uint16_t udp_port, bool interleaving);
  UsrsctpProcess(const UsrsctpProcess&) = delete;
  UsrsctpProcess& operator=(const UsrsctpProcess&) = delete;
  ~UsrsctpProcess();

  void order(const std::string& line);
  // Takes what it has said, without waiting, and looks for a line that begins so.
  bool has_said(std::string_view beginning);
  // That line, or nothing; it is forgotten, and so are those before it.
  std::string take(std::string_view beginning);
  // All that was not taken, for the message of a failed test.
  std::string heard() const;
  // Ends it without a word to its peer.
  void kill();

  // A UDP port that was free a moment ago.
  static std::uint16_t free_port();

 private:
  void read();

  pid_t pid_ = -1;
  int in_ = -1;
  int out_ = -1;
  std::string partial_;
  std::vector<std::string> lines_;
};

}  // namespace millrace::test
