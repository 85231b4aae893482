// SPDX-License-Identifier: Apache-2.0
#include "engine/cli/process.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <atomic>
#include <thread>

namespace millrace::cli {
namespace {

// Both threads are ready all the time, and share a processor: each waits while the other runs.
TEST(CpuTime, TellsOfThreadsThatWaitForAProcessor) {
  std::atomic<bool> done{false};
  report::CpuTime process, thread;
  std::thread waiting([&] {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(static_cast<unsigned>(sched_getcpu()), &one);
    ASSERT_EQ(sched_setaffinity(0, sizeof(one), &one), 0);
    std::thread beside([&] {  // Inherits the processor.
      while (!done) continue;
    });
    const report::CpuTime before = process_cpu_time(), own = thread_cpu_time();
    do {
      process = process_cpu_time().since(before);
      thread = thread_cpu_time().since(own);
    } while (process.used < 10 && (process.waited < 0.02 || thread.waited < 0.01));
    done = true;
    beside.join();
  });
  waiting.join();
  EXPECT_GE(process.waited, 0.02);
  EXPECT_GE(thread.waited, 0.01);
  EXPECT_GT(process.used, 0);
}

TEST(CpuTime, IsNotNegativeAfterAThreadHasTakenItsWaitingAlong) {
  const report::CpuTime then{.used = 2, .waited = 1.5}, now{.used = 3, .waited = 0.5};
  EXPECT_EQ(now.since(then).used, 1);
  EXPECT_EQ(now.since(then).waited, 0);
}

}  // namespace
}  // namespace millrace::cli
