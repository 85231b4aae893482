// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <variant>

#include "engine/base/time.h"
#include "engine/record/byte_ring.h"
#include "engine/record/output_file.h"
#include "engine/record/qlog_writer.h"
#include "engine/record/record_thread.h"
#include "sctp/metrics.h"
#include "sctp/stats.h"

namespace millrace::engine {

// SessionTrace is the trace of one association on its way to a file: its shard copies
// packets and states into a ring, and the record thread makes text of them.
class SessionTrace final : public Recording {
 public:
  // The file, or the path to make it at once there is something to write.
  using Target = std::variant<OutputFile, std::string>;

  SessionTrace(const TraceInfo& info, Target target);

  // The shard's thread.
  void packet(Time now, bool sent, ByteSpan packet);
  void sample(Time now, const sctp::Metrics& metrics, const sctp::Stats& stats);
  // No call follows: the session has ended.
  void end(Time now);

  bool drain(bool last) override;
  std::optional<Error> take_failure() override;

 private:
  static constexpr std::size_t kRingBytes = std::size_t{2} << 20;
  static constexpr std::uint64_t kMaxFileBytes = std::uint64_t{1} << 30;
  enum class Kind : std::uint8_t { kReceived, kSent, kSample, kEnd };
  struct Head {
    std::int64_t time = 0;
    Kind kind = Kind::kEnd;
  };

  void push(Time now, Kind kind, ByteSpan bytes);
  void write(ByteSpan record);
  void note_lost(Time when);
  OutputFile* file();

  const TraceInfo info_;
  ByteRing ring_{kRingBytes};
  std::atomic<bool> over_{false};  // The file is at its end: nothing more is taken.

  // The record thread's.
  Target target_;
  std::optional<Error> failure_;  // Of making the file.
  QlogWriter writer_;
  std::string text_;
  std::uint64_t lost_told_ = 0;
  bool ended_ = false;
};

// Tracer makes traces: of sessions by name, and of the first sessions there are.
class Tracer {
 public:
  struct Options {
    std::string path;        // Of the first session's trace; "PATH.2" is the second's.
    unsigned sessions = 0;   // Traced without being asked for.
    Duration unix_offset{};  // From the shards' clock to that of the world.
  };
  Tracer(const Options& options, RecordThread& recorder)
      : options_(options), left_(options.sessions), recorder_(recorder) {}

  // Makes the first file, so that one that cannot be made is known at the start.
  std::optional<Error> prepare();
  // Takes away what an earlier run left in it: this one has begun.
  void start();

  // Any thread. A trace for a session that came up; null when there are enough.
  std::shared_ptr<SessionTrace> begin(std::uint64_t session, Time now, std::string_view vantage);
  // Whether `begin` may have one still.
  bool wanted() const { return left_.load(std::memory_order_relaxed) > 0; }
  // For one that was asked for.
  std::shared_ptr<SessionTrace> begin(std::uint64_t session, Time now, std::string_view vantage,
                                      OutputFile file);

 private:
  std::shared_ptr<SessionTrace> make(std::uint64_t session, Time now, std::string_view vantage,
                                     SessionTrace::Target target);

  const Options options_;
  std::atomic<unsigned> left_;
  RecordThread& recorder_;
  std::mutex mutex_;
  std::optional<OutputFile> first_;  // Guarded by `mutex_`.
};

}  // namespace millrace::engine
