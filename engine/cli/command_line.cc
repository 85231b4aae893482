// SPDX-License-Identifier: Apache-2.0
#include "engine/cli/command_line.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <deque>
#include <iostream>
#include <optional>
#include <sstream>
#include <utility>

#include "engine/cli/output.h"
#include "engine/cli/version.h"

namespace millrace::cli {
namespace {

// GivenFlags are the flags of one command as they were typed; they are applied after the
// file, so that the command line has the last word.
struct GivenFlags {
  const Command* command = nullptr;
  CLI::App* app = nullptr;
  std::string config;
  std::deque<std::pair<const Setting*, std::vector<std::string>>> values;
};

void add_flag(CLI::App& app, const Setting& setting, std::vector<std::string>& values) {
  const std::string flag = "--" + setting.name;
  std::string help = setting.help;
  if (setting.kind != SettingKind::kSwitch) help += " [" + setting.fallback + "]";
  if (setting.kind == SettingKind::kSwitch) {
    app.add_flag_callback(
        flag, [&values] { values.emplace_back("true"); }, help);
    return;
  }
  CLI::Option* const option = app.add_option(flag, values, help);
  option->type_name(setting.placeholder)->type_size(1)->allow_extra_args(false);
  option->expected(1);
  option->multi_option_policy(setting.kind == SettingKind::kList
                                  ? CLI::MultiOptionPolicy::TakeAll
                                  : CLI::MultiOptionPolicy::TakeLast);
}

void declare(CLI::App& app, const Command& command, GivenFlags& given) {
  given.command = &command;
  given.app = &app;
  given.app->set_version_flag("--version", kVersionLine);
  given.app->add_option("--config", given.config, "TOML file; its keys are the flags below [none]")
      ->type_name("FILE");
  for (const Setting& setting : command.settings->all()) {
    given.values.emplace_back(&setting, std::vector<std::string>());
    add_flag(*given.app, setting, given.values.back().second);
  }
}

std::optional<UsageError> apply(const GivenFlags& given) {
  if (!given.config.empty()) {
    if (auto error = load_config_file(given.config, *given.command->settings)) return error;
  }
  for (const auto& [setting, values] : given.values) {
    if (!values.empty() && setting->clear) setting->clear();
    for (const std::string& value : values) {
      if (!setting->assign(value)) {
        return UsageError{"--" + setting->name + ": bad value '" + value + "', expected " +
                          setting->expected};
      }
    }
  }
  return std::nullopt;
}

int complain(const std::string& program, const std::string& message) {
  std::fprintf(stderr, "%s: %s\n", program.c_str(), message.c_str());
  return kExitUsage;
}

// CLI11 only says that a command is missing, whatever stands in its place.
std::optional<std::string> wrong_command(const std::string& word,
                                         const std::vector<Command>& commands) {
  if (word == "-h" || word == "--help" || word == "--version") return std::nullopt;
  std::string names;
  for (const Command& command : commands) {
    if (word == command.name) return std::nullopt;
    names += (names.empty() ? "" : ", ") + command.name;
  }
  return "unknown command '" + word + "', expected one of " + names;
}

// Returns the exit code where parsing ends the program.
std::optional<int> parse(CLI::App& root, int argc, char** argv, const std::string& program) {
  try {
    root.parse(argc, argv);
  } catch (const CLI::Success& asked) {  // --help, --version.
    std::ostringstream out;
    const int code = root.exit(asked, out, std::cerr);
    return write_output("-", out.str(), program) ? code : kExitFailed;
  } catch (const CLI::ParseError& error) {
    return complain(program, std::string(error.what()) + " (see " + program + " --help)");
  }
  return std::nullopt;
}

}  // namespace

int run_command_line(int argc, char** argv, const std::string& about,
                     const std::vector<Command>& commands, const std::string& program) {
  CLI::App root(about, program);
  root.set_version_flag("--version", kVersionLine);
  root.require_subcommand(1);
  std::deque<GivenFlags> all;
  for (const Command& command : commands) {
    declare(*root.add_subcommand(command.name, command.help), command, all.emplace_back());
  }
  if (argc > 1) {
    if (const auto problem = wrong_command(argv[1], commands)) return complain(program, *problem);
  }
  if (const auto code = parse(root, argc, argv, program)) return *code;
  for (const GivenFlags& given : all) {
    if (!given.app->parsed()) continue;
    if (const auto error = apply(given)) return complain(program, error->message);
    return given.command->run();
  }
  return kExitUsage;
}

int run_only_command(int argc, char** argv, const Command& command) {
  CLI::App root(command.help, command.name);
  GivenFlags given;
  declare(root, command, given);
  if (const auto code = parse(root, argc, argv, command.name)) return *code;
  if (const auto error = apply(given)) return complain(command.name, error->message);
  return command.run();
}

}  // namespace millrace::cli
