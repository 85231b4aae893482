// SPDX-License-Identifier: Apache-2.0
#include "engine/cli/setting.h"

#include <charconv>
#include <cmath>

namespace millrace::cli {
namespace {

std::string shown(double value) {
  std::string text = std::to_string(value);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text;
}

std::string range_of(std::uint64_t min, std::uint64_t max) {
  const std::string from = "a whole number from " + std::to_string(min);
  return max == std::numeric_limits<std::uint64_t>::max() ? from + " up"
                                                          : from + " to " + std::to_string(max);
}

}  // namespace

std::optional<double> parse_number(const std::string& text) {
  double value = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || rest != end || !std::isfinite(value)) return std::nullopt;
  return value;
}

std::optional<std::uint64_t> parse_whole(const std::string& text) {
  std::uint64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || rest != end) return std::nullopt;
  return value;
}

std::optional<std::uint64_t> parse_bytes(const std::string& text) {
  constexpr std::string_view kUnits = "KMG";
  const std::size_t unit = text.empty() ? kUnits.npos : kUnits.find(text.back());
  if (unit == kUnits.npos) return parse_whole(text);
  const std::optional<std::uint64_t> count = parse_whole(text.substr(0, text.size() - 1));
  const unsigned shift = 10 * (static_cast<unsigned>(unit) + 1);
  if (!count || *count > std::numeric_limits<std::uint64_t>::max() >> shift) return std::nullopt;
  return *count << shift;
}

void Settings::text(std::string name, std::string placeholder, std::string help,
                    std::string& target) {
  Setting setting;
  setting.name = std::move(name);
  setting.placeholder = std::move(placeholder);
  setting.help = std::move(help);
  setting.fallback = target.empty() ? "none" : target;
  setting.expected = "a string";
  setting.kind = SettingKind::kText;
  setting.assign = [&target](const std::string& value) {
    target = value;
    return true;
  };
  add(std::move(setting));
}

void Settings::list(std::string name, std::string placeholder, std::string help,
                    std::vector<std::string>& target) {
  Setting setting;
  setting.name = std::move(name);
  setting.placeholder = std::move(placeholder);
  setting.help = std::move(help);
  setting.fallback = "none";
  setting.expected = "an array of strings";
  setting.kind = SettingKind::kList;
  setting.assign = [&target](const std::string& value) {
    target.push_back(value);
    return true;
  };
  setting.clear = [&target] { target.clear(); };
  add(std::move(setting));
}

void Settings::flag(std::string name, std::string help, bool& target) {
  Setting setting;
  setting.name = std::move(name);
  setting.help = std::move(help);
  setting.fallback = target ? "true" : "false";
  setting.expected = "true or false";
  setting.kind = SettingKind::kSwitch;
  setting.assign = [&target](const std::string& value) {
    target = value == "true";
    return value == "true" || value == "false";
  };
  add(std::move(setting));
}

void Settings::choice(std::string name, std::string help, std::string fallback, Choices choices) {
  Setting setting;
  setting.name = std::move(name);
  for (std::size_t i = 0; i < choices.size(); ++i) {
    setting.placeholder += (i == 0 ? "" : "|") + choices[i].first;
    setting.expected += (i == 0 ? "" : i + 1 == choices.size() ? " or " : ", ") + choices[i].first;
  }
  setting.help = std::move(help);
  setting.fallback = std::move(fallback);
  setting.kind = SettingKind::kText;
  setting.assign = [choices = std::move(choices)](const std::string& value) {
    for (const auto& [word, choose] : choices) {
      if (word != value) continue;
      choose();
      return true;
    }
    return false;
  };
  add(std::move(setting));
}

void Settings::number(std::string name, std::string placeholder, std::string help,
                      std::uint64_t min, std::uint64_t max, std::function<void(std::uint64_t)> set,
                      std::string fallback) {
  Setting setting;
  setting.name = std::move(name);
  setting.placeholder = std::move(placeholder);
  setting.help = std::move(help);
  setting.fallback = std::move(fallback);
  setting.expected = range_of(min, max);
  setting.kind = SettingKind::kNumber;
  const bool bytes = setting.placeholder == "BYTES";
  setting.assign = [min, max, bytes, set = std::move(set)](const std::string& text) {
    const std::optional<std::uint64_t> value = bytes ? parse_bytes(text) : parse_whole(text);
    if (!value || *value < min || *value > max) return false;
    set(*value);
    return true;
  };
  add(std::move(setting));
}

void Settings::seconds_of(std::string name, std::string help, double min, double max,
                          Duration& target) {
  Setting setting;
  setting.name = std::move(name);
  setting.placeholder = "S";
  setting.help = std::move(help);
  setting.fallback = shown(std::chrono::duration<double>(target).count()) + " s";
  setting.expected = "seconds from " + shown(min) + " to " + shown(max);
  setting.kind = SettingKind::kNumber;
  setting.assign = [min, max, &target](const std::string& text) {
    const std::optional<double> value = parse_number(text);
    if (!value || *value < min || *value > max) return false;
    target = std::chrono::duration_cast<Duration>(std::chrono::duration<double>(*value));
    return true;
  };
  add(std::move(setting));
}

void Settings::milliseconds_of(std::string name, std::string help, std::uint64_t min,
                               std::uint64_t max, milliseconds& target) {
  number(
      std::move(name), "MS", std::move(help), min, max,
      [&target](std::uint64_t value) { target = milliseconds(value); },
      std::to_string(target.count()) + " ms");
  all_.back().expected = "milliseconds, " + all_.back().expected;
}

const Setting* Settings::find(const std::string& name) const {
  for (const Setting& setting : all_) {
    if (setting.name == name) return &setting;
  }
  return nullptr;
}

}  // namespace millrace::cli
