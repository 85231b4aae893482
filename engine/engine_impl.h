// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "crypto/dtls_context.h"
#include "crypto/key_log.h"
#include "crypto/mac.h"
#include "engine/base/spsc_ring.h"
#include "engine/record/capture.h"
#include "engine/record/record_thread.h"
#include "engine/record/session_trace.h"
#include "engine/session_directory.h"
#include "engine/settings.h"
#include "engine/shard/handshake_workers.h"
#include "engine/shard/mailbox.h"
#include "engine/shard/shard_runner.h"
#include "engine/simulation_impl.h"
#include "millrace/engine.h"

namespace millrace::engine {

struct ShardWorld;

// EngineImpl is the Engine: it makes the shards, answers signalling, and posts to the
// shards what other threads ask for.
class EngineImpl final : public Engine {
 public:
  // What `dtls` logs its keys to.
  struct KeyLogs {
    std::unique_ptr<crypto::KeyLog> file;
    std::shared_ptr<Capture> capture;
  };
  EngineImpl(Settings settings, KeyLogs key_logs, std::shared_ptr<const crypto::DtlsContext> dtls);
  ~EngineImpl() override;

  // Whom `options` want told of a recording that fails; never empty.
  static std::function<void(const Error&)> recording_failed(const EngineOptions& options);
  // From a shard's clock to that of the world.
  static Duration unix_offset(const EngineOptions& options);

  // Makes shards and sockets. Called once, before all else.
  std::optional<Error> make_shards(const MakeHandler& make_handler);

  void start() override;
  void stop(milliseconds grace) override;
  unsigned shards() const override { return static_cast<unsigned>(shards_.size()); }
  IoBackend io() const override { return io_; }
  std::string listen_address() const override { return listen_.to_string(); }
  std::string fingerprint() const override { return settings_.fingerprint; }
  Result<Description, SignalError> accept_offer(const std::string& offer) override;
  void create_offer(const OfferOptions& options, OfferDone done) override;
  void accept_answer(SessionId session, std::string answer, AnswerDone done) override;
  Result<SessionId, Error> add_peer(const PeerOptions& options) override;
  bool close_session(SessionId session) override;
  bool post(unsigned shard, std::function<void()> task) override;
  EngineStats stats() const override;
  void session_stats(SessionId session, SessionStatsDone done) override;
  void list_sessions(SessionCursor from, std::size_t limit, SessionPageDone done) override;
  std::optional<Error> trace_session(SessionId session, const std::string& path) override;
  bool poll(unsigned shard) override;
  int poll_handle(unsigned shard) override;
  Time poll_deadline(unsigned shard) const override;

 private:
  Result<std::unique_ptr<ShardRunner>, Error> make_shard(unsigned index);
  Result<std::unique_ptr<ShardRunner>, Error> make_kernel_shard(unsigned index);
  std::optional<Error> bind_listening();
  void run_shard(unsigned index);
  ShardWorld world();
  void make_polled(unsigned shard);
  [[gnu::cold]] void start_polled(unsigned shard);
  void ask_to_close(bool at_once);
  bool closed_by(Time deadline) const;
  void log(const std::string& line) const;
  void begin_recording();
  Time now() const { return clock_->now(); }

  Settings settings_;  // Read by every thread, changed by none.
  KeyLogs key_logs_;
  RecordThread recorder_;
  Tracer tracer_;
  std::once_flag recording_;
  std::shared_ptr<const crypto::DtlsContext> dtls_;
  crypto::BoringMac mac_;
  const Clock* clock_;
  std::shared_ptr<SimulationImpl> simulation_;
  SessionDirectory directory_;
  HandshakeWorkers workers_;
  std::vector<std::unique_ptr<Mailbox>> mailboxes_;
  std::vector<std::unique_ptr<ShardRunner>> shards_;
  std::vector<std::thread> threads_;
  // Of a shard that the embedder polls: its thread's alone.
  struct alignas(kCacheLineBytes) Polled {
    bool started = false;
    int handle = -1;
  };
  std::vector<Polled> polled_;
  std::atomic<bool> stop_{false};
  bool stopped_ = false;
  IoBackend io_;
  Address listen_;
};

}  // namespace millrace::engine
