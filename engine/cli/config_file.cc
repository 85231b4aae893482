// SPDX-License-Identifier: Apache-2.0
#include <toml++/toml.h>

#include <optional>
#include <sstream>

#include "engine/base/text_file.h"
#include "engine/cli/setting.h"

namespace millrace::cli {
namespace {

// The value as the flag of the same name would have it; nothing when the type is wrong.
std::optional<std::string> flag_text(const toml::node& node, SettingKind kind) {
  const bool number = kind == SettingKind::kNumber || kind == SettingKind::kNumberOrText;
  const bool words = kind == SettingKind::kText || kind == SettingKind::kNumberOrText;
  if (const auto* const text = node.as_string(); text != nullptr && words) return text->get();
  if (const auto* const whole = node.as_integer(); whole != nullptr && number) {
    return std::to_string(whole->get());
  }
  if (const auto* const real = node.as_floating_point(); real != nullptr && number) {
    return std::to_string(real->get());
  }
  if (const auto* const truth = node.as_boolean();
      truth != nullptr && kind == SettingKind::kSwitch) {
    return truth->get() ? "true" : "false";
  }
  return std::nullopt;
}

bool assign_list(const toml::node& node, const Setting& setting) {
  const toml::array* const items = node.as_array();
  if (items == nullptr) return false;
  if (setting.clear) setting.clear();
  for (const toml::node& item : *items) {
    const std::optional<std::string> text = flag_text(item, SettingKind::kText);
    if (!text || !setting.assign(*text)) return false;
  }
  return true;
}

bool assign(const toml::node& node, const Setting& setting) {
  if (setting.kind == SettingKind::kList) return assign_list(node, setting);
  const std::optional<std::string> text = flag_text(node, setting.kind);
  return text && setting.assign(*text);
}

// As the file has it, cut where it is long.
std::string text_of(const toml::node& node) {
  constexpr std::size_t kMaxQuoted = 40;
  std::ostringstream out;
  out << toml::default_formatter(node);
  const std::string text = out.str();
  return text.size() <= kMaxQuoted ? text : text.substr(0, kMaxQuoted) + "...";
}

std::string place(const std::string& path, const toml::source_region& where) {
  return path + ":" + std::to_string(where.begin.line) + ": ";
}

// Keys of a table [dpdk] are those that begin with "dpdk-".
std::optional<UsageError> apply(const toml::table& table, const std::string& prefix,
                                const std::string& path, const Settings& settings) {
  for (const auto& [key, node] : table) {
    const std::string name = prefix + std::string(key.str());
    if (const toml::table* const inner = node.as_table(); inner != nullptr && prefix.empty()) {
      if (auto error = apply(*inner, name + "-", path, settings)) return error;
      continue;
    }
    const Setting* const setting = settings.find(name);
    if (setting == nullptr) {
      std::string known;
      for (const Setting& each : settings.all()) {
        if (each.name.compare(0, prefix.size(), prefix) != 0) continue;
        known += (known.empty() ? "" : ", ") + each.name.substr(prefix.size());
      }
      return UsageError{place(path, key.source()) + "unknown key '" + std::string(key.str()) +
                        "', expected " + (known.empty() ? "no such table" : "one of " + known)};
    }
    if (!assign(node, *setting)) {
      return UsageError{place(path, node.source()) + "bad value " + text_of(node) + " of '" +
                        std::string(key.str()) + "', expected " + setting->expected};
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<UsageError> load_config_file(const std::string& path, const Settings& settings) {
  const auto text = read_text_file(path);
  if (!text.ok()) return UsageError{"config: " + text.error()};
  toml::table table;
  try {
    table = toml::parse(text.value(), path);
  } catch (const toml::parse_error& error) {
    return UsageError{place(path, error.source()) + std::string(error.description())};
  }
  return apply(table, "", path, settings);
}

}  // namespace millrace::cli
