// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <memory>

#include "engine/cli/command_line.h"
#include "engine/cli/engine_settings.h"
#include "engine/cli/log.h"
#include "millrace/engine.h"

namespace millrace::cli {

// RecordingWatch has a command fail whose capture, trace or key log is not whole.
class RecordingWatch {
 public:
  // Of each engine that the command makes.
  void attach(EngineOptions& options) const {
    options.recording_failed = [failed = failed_](const Error& error) {
      log_error(in_flags(error));
      *failed = true;
    };
  }

  // What the command returns, in place of `code`, once its engines have ended.
  int exit_code(int code) const {
    return code != kExitLost && *failed_ ? static_cast<int>(kExitFailed) : code;
  }

 private:
  std::shared_ptr<std::atomic<bool>> failed_ = std::make_shared<std::atomic<bool>>(false);
};

}  // namespace millrace::cli
