// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/key_log.h"
#include "engine/base/address.h"
#include "engine/base/time.h"
#include "engine/record/byte_ring.h"
#include "engine/record/output_file.h"
#include "engine/record/pcapng.h"
#include "engine/record/record_thread.h"

namespace millrace::engine {

// CaptureLane takes one shard's datagrams, on its thread.
class CaptureLane {
 public:
  explicit CaptureLane(const std::atomic<bool>& full) : full_(full) {}

  // `local` may be of no family, or unspecified.
  void take(Time now, bool outbound, const Address& local, const Address& remote, ByteSpan payload);

 private:
  friend class Capture;
  static constexpr std::size_t kRingBytes = std::size_t{8} << 20;

  const std::atomic<bool>& full_;
  ByteRing ring_{kRingBytes};
};

// Capture writes what an engine sends and receives, and the secrets that open it, as pcapng.
// Packets are put in order of time and held back for a while, so that the secrets of a
// handshake, which are known only after its packets have come, stand ahead of them: readers
// take a file in its order. Secrets are wiped here once they are in the file.
class Capture final : public Recording, public crypto::KeyLog {
 public:
  struct Options {
    std::string path;
    std::uint64_t max_bytes = 0;  // The file ends before it grows beyond.
    unsigned shards = 1;
    Duration unix_offset{};          // From the shards' clock to that of the world.
    crypto::KeyLog* next = nullptr;  // Is given each line, too.
  };
  static Result<std::shared_ptr<Capture>, Error> create(const Options& options);
  Capture(const Options& options, OutputFile file);  // For `create`.

  CaptureLane& lane(unsigned shard) { return *lanes_[shard]; }

  void write_line(std::string_view line) override;  // Any thread.
  bool drain(bool last) override;
  std::optional<Error> take_failure() override { return file_.take_failure(); }

 private:
  using Clock = std::chrono::steady_clock;
  struct Held {
    Clock::time_point since;
    pcapng::Buffer block;
  };

  void write_head();
  void hold(ByteSpan record, Clock::time_point now);
  void write_secrets();
  void write_held(Clock::time_point now, bool all);
  void finish();

  const Options options_;
  OutputFile file_;
  std::atomic<bool> full_{false};
  std::vector<std::unique_ptr<CaptureLane>> lanes_;

  std::mutex mutex_;
  std::vector<std::string> lines_;  // Guarded by `mutex_`.

  // The record thread's.
  std::multimap<std::uint64_t, Held> held_;  // By time.
  std::size_t held_bytes_ = 0;
  std::uint64_t newest_ = 0;
  std::uint64_t received_ = 0;
  std::uint64_t left_out_ = 0;  // Came after the file was full, or out of a write's failure.
  bool finished_ = false;
};

}  // namespace millrace::engine
