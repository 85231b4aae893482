// SPDX-License-Identifier: Apache-2.0
#include "engine/cli/load_settings.h"

#include <cstdio>
#include <utility>

#include "engine/cli/command_line.h"
#include "engine/cli/output.h"

namespace millrace::cli {
namespace {

using report::Pattern;

constexpr double kDay = 86'400;
constexpr double kMaxRate = 1e9;

void add_rate(Settings& settings, report::LoadConfig& config) {
  Setting rate;
  rate.name = "rate";
  rate.placeholder = "R|max";
  rate.help = "Messages a second over all channels, sent whether or not echoes come; max: a window";
  rate.fallback = "max";
  rate.expected = "max, or a number above 0, at most 1e9";
  rate.kind = SettingKind::kNumberOrText;
  rate.assign = [&config](const std::string& text) {
    const std::optional<double> value = text == "max" ? 0.0 : parse_number(text);
    if (!value || *value < 0 || *value > kMaxRate || (*value == 0 && text != "max")) return false;
    config.rate = *value;
    return true;
  };
  settings.add(std::move(rate));
}

void add_dialling(Settings& settings, LoadPlan& plan) {
  settings.number("dialling", "N", "Sessions being opened at once, on each shard", 1, 4096,
                  plan.dialling);
  Setting rate;
  rate.name = "dial-rate";
  rate.placeholder = "R|max";
  rate.help = "Sessions dialled a second, as far as --dialling allows";
  rate.fallback = "max";
  rate.expected = "max, or a number above 0, at most 1e6";
  rate.kind = SettingKind::kNumberOrText;
  rate.assign = [&plan](const std::string& text) {
    const std::optional<double> value = text == "max" ? 0.0 : parse_number(text);
    if (!value || *value < 0 || *value > 1e6 || (*value == 0 && text != "max")) return false;
    plan.dial_rate = *value;
    return true;
  };
  settings.add(std::move(rate));
  settings.number(
      "hold", "MS", "With --pattern idle: close each session so long after it opened", 1,
      86'400'000, [&plan](std::uint64_t ms) { plan.hold = milliseconds(ms); }, "to the end");
}

void add_reliability(Settings& settings, report::LoadConfig& config) {
  Setting unordered;
  unordered.name = "unordered";
  unordered.help = "Messages may overtake each other";
  unordered.fallback = "false";
  unordered.expected = "true or false";
  unordered.kind = SettingKind::kSwitch;
  unordered.assign = [&config](const std::string& text) {
    config.ordered = text != "true";
    return text == "true" || text == "false";
  };
  settings.add(std::move(unordered));
  settings.number(
      "max-retransmits", "N", "Give a message up after so many retransmissions", 0, 65535,
      [&config](std::uint64_t n) { config.max_retransmits = static_cast<std::uint16_t>(n); },
      "reliable");
  settings.number(
      "max-packet-life-time", "MS", "Give a message up after so many milliseconds", 0, 65535,
      [&config](std::uint64_t n) { config.max_packet_life_time = milliseconds(n); }, "reliable");
}

}  // namespace

void add_load_settings(Settings& settings, LoadPlan& plan, ReportFiles& files) {
  report::LoadConfig& config = plan.config;
  settings.number("connections", "N", "Sessions to open", 1, 1'000'000, config.connections);
  settings.number("channels", "M", "Channels of each session", 1, 1024, config.channels);
  settings.choice("pattern", "Round trips, one way, or open connections alone", "echo",
                  {{"echo", [&config] { config.pattern = Pattern::kEcho; }},
                   {"upload", [&config] { config.pattern = Pattern::kUpload; }},
                   {"download", [&config] { config.pattern = Pattern::kDownload; }},
                   {"idle", [&config] { config.pattern = Pattern::kIdle; }}});
  settings.number("size", "BYTES", "Size of a message; above 1M it goes in parts", 0, 1u << 30,
                  config.size);
  add_rate(settings, config);
  settings.number("outstanding", "N", "Echo at full rate: messages of a channel on their way", 1,
                  1u << 20, config.outstanding);
  settings.seconds_of("duration", "Seconds that are measured", 0.1, kDay, config.duration);
  settings.seconds_of("warmup", "Seconds of traffic before that", 0, kDay, config.warmup);
  add_reliability(settings, config);
  add_dialling(settings, plan);
  settings.milliseconds_of("patience", "How long to wait at the end for what is missing", 100,
                           600'000, plan.patience);
  settings.text("json", "FILE", "Write the report as JSON; - is stdout", files.json);
  settings.text("html", "FILE", "Write the report as a page with charts", files.html);
}

std::optional<std::string> check_load(const LoadPlan& plan) {
  if (plan.config.max_retransmits && plan.config.max_packet_life_time) {
    return "--max-retransmits and --max-packet-life-time: give at most one";
  }
  if (plan.hold && plan.config.pattern != Pattern::kIdle) return "--hold: needs --pattern idle";
  return std::nullopt;
}

std::optional<std::string> check_files(const ReportFiles& files) {
  if (const auto problem = output_problem(files.json)) return "--json: " + *problem;
  if (const auto problem = output_problem(files.html)) return "--html: " + *problem;
  if (!files.json.empty() && files.json == files.html) {
    return "--html: '" + files.html + "' is where --json goes";
  }
  return std::nullopt;
}

int deliver_report(const report::LoadReport& report, const ReportFiles& files) {
  // With JSON on stdout the text goes where it does not mix.
  const std::string text = report::to_text(report);
  bool written = true;
  if (files.json == "-") {
    std::fputs(text.c_str(), stderr);
  } else {
    written = write_output("-", text);
  }
  written &= files.json.empty() || write_output(files.json, report::to_json(report));
  written &= files.html.empty() || write_output(files.html, report::to_html({report}));
  if (!report.good()) return kExitLost;
  if (!written) return kExitFailed;
  return report.interrupted_after_seconds ? kExitInterrupted : kExitOk;
}

}  // namespace millrace::cli
