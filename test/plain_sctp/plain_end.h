// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "engine/cli/setting.h"
#include "test/plain_sctp/capture.h"
#include "test/plain_sctp/udp_endpoint.h"

namespace millrace::test {

inline constexpr char kProgram[] = "millrace-plain-sctp";

// Says what is wrong in one line on standard error, and returns the exit code.
int complain(const std::string& message, int code);

// From here on SIGINT and SIGTERM end a run in order, and `was_stopped` says that one has come.
void stop_by_signals();
bool was_stopped();

// PlainEnd is what both commands have: the flags of an association and of its UDP address, the
// endpoint made of them, and the capture of its packets.
class PlainEnd {
 public:
  // What the flags set; the command chooses what --udp means.
  sctp::Options options;
  Address udp{IpAddress::v4(127, 0, 0, 1), 9899};  // RFC 6951 §4: the port that IANA assigned.
  sctp::SendOptions how;

  PlainEnd();
  void add_settings(cli::Settings& settings, const std::string& udp_help);

  // Binds `local` and begins the capture; the error is one line.
  std::optional<std::string> open(const Address& local);
  // Once it is open.
  UdpEndpoint& endpoint() { return *endpoint_; }
  sctp::Association& association() { return endpoint_->association(); }
  // Sends ABORT where the association was not over; false where the capture is not whole.
  bool close();

 private:
  std::uint64_t loss_percent_ = 0;
  std::optional<std::uint64_t> seed_;
  std::string pcap_;
  std::unique_ptr<Capture> capture_;
  std::unique_ptr<UdpEndpoint> endpoint_;
};

// WholeMessages puts messages together that came in parts.
class WholeMessages {
 public:
  // Returns the message that this part is the last of; it is good until the next call.
  const Bytes* add(const sctp::MessageView& part);

 private:
  std::map<sctp::StreamId, Bytes> begun_;
  Bytes whole_;
};

// The address that packets to `remote` leave from, with port 0; unspecified where no route is.
Address local_towards(const Address& remote);

}  // namespace millrace::test
