// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace millrace::cli {

#ifndef MILLRACE_VERSION
#define MILLRACE_VERSION "0.0.0"
#endif

inline constexpr char kVersion[] = MILLRACE_VERSION;
inline constexpr char kVersionLine[] = "millrace " MILLRACE_VERSION;

}  // namespace millrace::cli
