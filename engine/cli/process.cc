// SPDX-License-Identifier: Apache-2.0
#include "engine/cli/process.h"

#include <sys/resource.h>

#include <csignal>
#include <ctime>

namespace millrace::cli {
namespace {

double cpu_seconds(int who) {
  rusage usage{};
  ::getrusage(who, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

sigset_t stop_set() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  return set;
}

}  // namespace

double process_cpu_seconds() { return cpu_seconds(RUSAGE_SELF); }
double thread_cpu_seconds() { return cpu_seconds(RUSAGE_THREAD); }

StopSignals::StopSignals() {
  const sigset_t set = stop_set();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

int StopSignals::wait() const {
  const sigset_t set = stop_set();
  int signal = 0;
  while (sigwait(&set, &signal) != 0) continue;
  return signal;
}

bool StopSignals::came() {
  const sigset_t set = stop_set();
  const timespec none{};
  if (!came_) came_ = sigtimedwait(&set, nullptr, &none) > 0;
  return came_;
}

}  // namespace millrace::cli
