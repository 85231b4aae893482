// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/cli/setting.h"
#include "test/plain_sctp/plain_end.h"

namespace millrace::test {

// ConnectCommand brings an association up, sends numbered messages on one stream, checks what
// comes back of them, and shuts the association down.
class ConnectCommand {
 public:
  ConnectCommand();
  cli::Settings& settings() { return settings_; }
  int run();  // Returns the exit code; 3 where an echo is missing, damaged or out of order.

 private:
  // Each returns what went wrong.
  std::optional<std::string> bring_up();
  std::optional<std::string> exchange();
  std::optional<std::string> shut_down();
  void send_more();
  void check(const sctp::MessageView& part);
  bool is_finished();
  std::uint32_t came_back() const { return echoed_ + damaged_ + misplaced_; }
  int report() const;

  cli::Settings settings_;
  PlainEnd end_;
  std::uint32_t messages_ = 100;
  std::uint32_t size_ = 1000;
  std::uint16_t stream_ = 0;
  Duration patience_ = seconds(10);

  WholeMessages whole_;
  std::optional<std::string> refused_;  // By `send`.
  std::uint32_t sent_ = 0;
  std::uint32_t echoed_ = 0;
  std::uint32_t damaged_ = 0;
  std::uint32_t misplaced_ = 0;
  std::vector<bool> seen_;
  std::optional<std::uint32_t> last_;  // Number of the newest echo.
  Time progress_{};                    // When the newest echo came, or sending began.
  Duration took_{};
};

}  // namespace millrace::test
