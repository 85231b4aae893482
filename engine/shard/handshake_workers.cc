// SPDX-License-Identifier: Apache-2.0
#include "engine/shard/handshake_workers.h"

#include <utility>

#include "engine/base/check.h"

namespace millrace::engine {

HandshakeWorkers::HandshakeWorkers(unsigned threads) {
  for (unsigned i = 0; i < threads; ++i) {
    workers_.push_back(std::make_unique<Worker>());
    Worker& worker = *workers_.back();
    worker.thread = std::thread([this, &worker] { run(worker); });
  }
}

HandshakeWorkers::~HandshakeWorkers() { stop(); }

bool HandshakeWorkers::submit(SessionId session, std::unique_ptr<crypto::HandshakeFlight>& flight,
                              Mailbox& home) {
  CHECK(!workers_.empty());
  Worker& worker = *workers_[next_.fetch_add(1, std::memory_order_relaxed) % workers_.size()];
  Job job{session, std::move(flight), &home};
  if (!worker.queue.try_push(std::move(job))) {
    // A refused push has moved nothing.
    flight = std::move(job.flight);  // NOLINT(bugprone-use-after-move)
    return false;
  }
  worker.posted.fetch_add(1, std::memory_order_release);
  worker.posted.notify_one();
  return true;
}

void HandshakeWorkers::run(Worker& worker) {
  std::uint32_t seen = worker.posted.load(std::memory_order_acquire);
  while (!stopping_.load(std::memory_order_acquire)) {
    Job job;
    if (!worker.queue.try_pop(job)) {
      worker.posted.wait(seen, std::memory_order_acquire);
      seen = worker.posted.load(std::memory_order_acquire);
      continue;
    }
    job.flight->run();
    ShardMessage message = FlightReturn{job.session, std::move(job.flight)};
    // A full inbox empties within a turn; the flight must not be lost, or its session
    // would wait for it until the handshake times out.
    // NOLINTNEXTLINE(bugprone-use-after-move): a refused post has moved nothing.
    while (!job.home->post(std::move(message)) && !stopping_.load(std::memory_order_acquire)) {
      std::this_thread::yield();
    }
  }
}

void HandshakeWorkers::stop() {
  stopping_.store(true, std::memory_order_release);
  for (const std::unique_ptr<Worker>& worker : workers_) {
    worker->posted.fetch_add(1, std::memory_order_release);
    worker->posted.notify_one();
    if (worker->thread.joinable()) worker->thread.join();
  }
}

}  // namespace millrace::engine
