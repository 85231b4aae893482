// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/base/time.h"

namespace millrace::cli {

// SettingKind says which TOML values a setting takes.
enum class SettingKind : std::uint8_t {
  kText,          // A string.
  kNumber,        // An integer or a float.
  kNumberOrText,  // Either, as `rate` (a number, or "max").
  kSwitch,        // A boolean; on the command line a flag without a value.
  kList,          // An array of strings; on the command line given several times.
};

// Setting is one thing that a person may set, as a flag and as a TOML key of one name.
struct Setting {
  std::string name;         // "max-retransmits": without dashes in front.
  std::string placeholder;  // "N"; empty for a switch.
  std::string help;         // One line; the default stands in `fallback`.
  std::string fallback;     // What holds when it is not given, in words.
  std::string expected;     // "a whole number from 1 to 256": completes "expected".
  SettingKind kind = SettingKind::kText;
  // Takes a value; false when it is not what is expected. A list takes one item a call.
  std::function<bool(const std::string&)> assign;
  std::function<void()> clear;  // For a list: forgets what a file gave.
};

// Settings are those of one command. The references that `add` functions are given live
// as long as this; what they hold at that moment is the default.
class Settings {
 public:
  using Choices = std::vector<std::pair<std::string, std::function<void()>>>;

  void text(std::string name, std::string placeholder, std::string help, std::string& target);
  void list(std::string name, std::string placeholder, std::string help,
            std::vector<std::string>& target);
  void flag(std::string name, std::string help, bool& target);
  // One of a few words, each with what choosing it does.
  void choice(std::string name, std::string help, std::string fallback, Choices choices);
  void number(std::string name, std::string placeholder, std::string help, std::uint64_t min,
              std::uint64_t max, std::function<void(std::uint64_t)> set, std::string fallback);
  template <class T>
  void number(std::string name, std::string placeholder, std::string help, std::uint64_t min,
              std::uint64_t max, T& target) {
    number(
        std::move(name), std::move(placeholder), std::move(help), min, max,
        [&target](std::uint64_t value) { target = static_cast<T>(value); }, std::to_string(target));
  }
  // A number of seconds or milliseconds, fractions included, into a duration.
  void seconds_of(std::string name, std::string help, double min, double max, Duration& target);
  void milliseconds_of(std::string name, std::string help, std::uint64_t min, std::uint64_t max,
                       milliseconds& target);
  // For what fits none of the above.
  void add(Setting setting) { all_.push_back(std::move(setting)); }

  const std::vector<Setting>& all() const { return all_; }
  const Setting* find(const std::string& name) const;

 private:
  std::vector<Setting> all_;
};

// UsageError is what a person got wrong, in one line: exit code 2.
struct UsageError {
  std::string message;
};

// load_config_file applies the keys of a TOML file to `settings`. An unknown key or a bad
// value is refused with file, line and what was expected.
std::optional<UsageError> load_config_file(const std::string& path, const Settings& settings);

// parse_number reads all of `text` as a decimal number.
std::optional<double> parse_number(const std::string& text);
std::optional<std::uint64_t> parse_whole(const std::string& text);
// The same with K, M or G for 2^10, 2^20 or 2^30 behind it: what a flag in BYTES takes.
std::optional<std::uint64_t> parse_bytes(const std::string& text);

}  // namespace millrace::cli
