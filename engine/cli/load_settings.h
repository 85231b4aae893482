// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "engine/cli/load_shard.h"
#include "engine/cli/setting.h"

namespace millrace::cli {

// ReportFiles are where reports go, besides the terminal; empty: nowhere.
struct ReportFiles {
  std::string json;
  std::string html;
};

// Adds the settings of the traffic: what `load` and `loop` have in common.
void add_load_settings(Settings& settings, LoadPlan& plan, ReportFiles& files);

// What no single setting can check; nothing when all is well.
std::optional<std::string> check_load(const LoadPlan& plan);

// What is wrong with where the report is to go; asked before the run.
std::optional<std::string> check_files(const ReportFiles& files);

// Prints the report, writes the files and returns the exit code.
int deliver_report(const report::LoadReport& report, const ReportFiles& files);

}  // namespace millrace::cli
