// SPDX-License-Identifier: Apache-2.0
#include "engine/record/record_thread.h"

#include <chrono>
#include <utility>

namespace millrace::engine {
namespace {

constexpr std::chrono::milliseconds kInterval{5};

}  // namespace

void RecordThread::add(std::shared_ptr<Recording> recording) {
  const std::lock_guard lock(mutex_);
  if (stop_) return;
  added_.push_back(std::move(recording));
  if (!std::exchange(started_, true)) thread_ = std::thread([this] { run(); });
}

void RecordThread::stop() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void RecordThread::run() {
  std::vector<std::shared_ptr<Recording>> all;
  for (bool last = false; !last;) {
    {
      std::unique_lock lock(mutex_);
      wake_.wait_for(lock, kInterval, [this] { return stop_; });
      last = stop_;
      for (std::shared_ptr<Recording>& each : added_) all.push_back(std::move(each));
      added_.clear();
    }
    std::erase_if(all, [this, last](const auto& recording) {
      const bool goes_on = recording->drain(last);
      if (const std::optional<Error> failure = recording->take_failure()) failed_(*failure);
      return !goes_on;
    });
  }
}

}  // namespace millrace::engine
