// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/cli/setting.h"
#include "millrace/engine.h"

namespace millrace::cli {

// Adds `io` as those have it whose engine lives on real sockets.
void add_io_setting(Settings& settings, EngineOptions& options);

// Adds the settings that every command with an engine has, into `options`.
void add_engine_settings(Settings& settings, EngineOptions& options);

// Adds those of an engine that others dial: address, certificate, limits, time-outs.
void add_listening_settings(Settings& settings, EngineOptions& options);

const char* to_string(IoBackend io);

// What an engine says of an option, with the name of the flag that sets it in place of its own.
std::string in_flags(const Error& error);

}  // namespace millrace::cli
