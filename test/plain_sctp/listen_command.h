// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>

#include "engine/cli/setting.h"
#include "test/plain_sctp/plain_end.h"

namespace millrace::test {

// ListenCommand waits for an association and sends each of its messages back, on the stream of
// the same number and in the order it came in, until the peer ends it.
class ListenCommand {
 public:
  ListenCommand();
  cli::Settings& settings() { return settings_; }
  int run();  // Returns the exit code.

 private:
  struct Echo {
    sctp::StreamId stream;
    sctp::Ppid ppid;
    bool unordered;
    Bytes bytes;
  };
  // One association, from the first packet to the last; the exit code.
  int serve();
  void forget();
  void heed_restarts();
  void take(const sctp::MessageView& part);
  void send_back();

  cli::Settings settings_;
  PlainEnd end_;
  bool again_ = false;
  WholeMessages whole_;
  std::deque<Echo> queue_;
  std::size_t queued_bytes_ = 0;
  std::size_t restarts_ = 0;
  std::uint64_t echoed_ = 0;
  std::uint64_t echoed_bytes_ = 0;
  std::uint64_t dropped_ = 0;  // For want of room, or of a stream to send on.
};

}  // namespace millrace::test
