// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "millrace/types.h"

namespace millrace::engine {

// Recording is a file that shards fill through rings and RecordThread writes.
class Recording {
 public:
  virtual ~Recording() = default;
  // Writes what has come; with `last`, also what was held back. False: it is done with.
  virtual bool drain(bool last) = 0;
  // Why its file ends early, once.
  virtual std::optional<Error> take_failure() = 0;
};

// RecordThread writes recordings, some hundred times a second, on a thread of its own that
// starts with the first of them. No shard waits for it.
class RecordThread {
 public:
  // `failed` is called on that thread where a recording cannot be written to its end.
  explicit RecordThread(std::function<void(const Error&)> failed) : failed_(std::move(failed)) {}
  ~RecordThread() { stop(); }
  RecordThread(const RecordThread&) = delete;
  RecordThread& operator=(const RecordThread&) = delete;

  // Any thread. What is added after `stop` is not written.
  void add(std::shared_ptr<Recording> recording);
  // Drains all a last time, once nothing fills them any more.
  void stop();

 private:
  void run();

  const std::function<void(const Error&)> failed_;
  std::mutex mutex_;  // Guards all below but `thread_`.
  std::condition_variable wake_;
  std::vector<std::shared_ptr<Recording>> added_;
  bool stop_ = false;
  bool started_ = false;
  std::thread thread_;
};

}  // namespace millrace::engine
