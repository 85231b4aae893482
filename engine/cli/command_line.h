// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "engine/cli/setting.h"

namespace millrace::cli {

// Exit codes of the program.
enum ExitCode : int {
  kExitOk = 0,
  kExitFailed = 1,       // Something outside: a port in use, a missing file, a full disk.
  kExitUsage = 2,        // A bad flag, key or value.
  kExitLost = 3,         // `load`: a connection did not open, or reliable data was lost.
  kExitInterrupted = 4,  // `load`, `loop`: a signal ended it early; what there is was reported.
};

// Command is a word of the command line, with its settings. `--config` and `--help` are
// added to each.
struct Command {
  std::string name;
  std::string help;
  Settings* settings = nullptr;
  std::function<int()> run;  // Returns the exit code.
};

// run_command_line parses the arguments (CLI11), reads the file that `--config` names,
// lets flags override its keys, and runs the command. Mistakes are told on stderr in one
// line, with exit code 2. `program` is the name that help and mistakes show.
int run_command_line(int argc, char** argv, const std::string& about,
                     const std::vector<Command>& commands, const std::string& program = "millrace");

// The same for a program that does one thing: its flags stand behind its name.
int run_only_command(int argc, char** argv, const Command& command);

}  // namespace millrace::cli
