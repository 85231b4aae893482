// SPDX-License-Identifier: Apache-2.0
#include "engine/cli/process.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>

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

// The second number of a thread's schedstat: nanoseconds ready to run, and not running.
double waited_seconds(const std::filesystem::path& task) {
  std::ifstream schedstat(task / "schedstat");
  double running = 0, waiting = 0;
  return schedstat >> running >> waiting ? 1e-9 * waiting : 0;
}

bool is_ignored(int signal) {
  struct sigaction action {};
  return ::sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

sigset_t stop_set() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  // A blocked signal would be waited for even where it is ignored.
  if (!is_ignored(SIGHUP)) sigaddset(&set, SIGHUP);
  return set;
}

}  // namespace

int complain(const std::string& message, int code) {
  std::fprintf(stderr, "millrace: %s\n", message.c_str());
  return code;
}

report::CpuTime process_cpu_time() {
  report::CpuTime time{.used = cpu_seconds(RUSAGE_SELF), .waited = 0};
  std::error_code gone;
  for (std::filesystem::directory_iterator task("/proc/self/task", gone), end; !gone && task != end;
       task.increment(gone)) {
    time.waited += waited_seconds(task->path());
  }
  return time;
}

report::CpuTime thread_cpu_time() {
  return {.used = cpu_seconds(RUSAGE_THREAD), .waited = waited_seconds("/proc/thread-self")};
}

bool is_processor(std::uint64_t number) {
  return number < static_cast<std::uint64_t>(std::max(1L, ::sysconf(_SC_NPROCESSORS_CONF)));
}

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
