// SPDX-License-Identifier: Apache-2.0
#include "engine/cli/load_run.h"

#include <algorithm>
#include <cstdio>
#include <mutex>
#include <thread>
#include <utility>

#include "engine/cli/engine_settings.h"
#include "engine/cli/version.h"

namespace millrace::cli {
namespace {

// From the first look at something to a slow watch of it: on a machine whose processors are
// all measured, looking costs.
constexpr milliseconds kPollFirst{1};
constexpr milliseconds kPollSlow{20};
constexpr seconds kLine{1};
constexpr seconds kPrepareLimit{10};

double seconds_of(Duration span) { return std::chrono::duration<double>(span).count(); }

unsigned part_of(unsigned total, unsigned parts, unsigned index) {
  return total / parts + (index < total % parts ? 1 : 0);
}

}  // namespace

Time RealPacer::now() const { return Time(std::chrono::steady_clock::now().time_since_epoch()); }

bool RealPacer::wait_until(const std::function<bool()>& done, Time deadline) {
  milliseconds pause = kPollFirst;
  while (!done()) {
    const Time at = now();
    if (at >= deadline) return false;
    std::this_thread::sleep_for(std::min<Duration>(pause, deadline - at));
    pause = std::min(2 * pause, kPollSlow);
  }
  return true;
}

std::optional<Error> LoadRun::create(EngineOptions options) {
  options.max_sessions = plan_.config.connections + 16;
  // Echoes and downloads are taken, whatever their size.
  options.sctp.max_message_bytes = std::max(options.sctp.max_message_bytes, plan_.config.size);
  auto made = Engine::create(std::move(options), [this](ShardContext& context) {
    auto shard = std::make_unique<LoadShard>(context, plan_);
    shards_.push_back(shard.get());
    return shard;
  });
  if (!made.ok()) return made.error();
  engine_ = std::move(made).value();
  return std::nullopt;
}

bool LoadRun::all(const std::function<bool(const LoadShard&)>& are) const {
  return std::all_of(shards_.begin(), shards_.end(),
                     [&are](const LoadShard* shard) { return are(*shard); });
}

bool LoadRun::on_all(const std::function<bool(const LoadShard&)>& is, Duration limit) {
  return pacer_.wait_until([&] { return stop_() || all(is); }, pacer_.now() + limit);
}

void LoadRun::post_all(const std::function<void(LoadShard&)>& task) {
  for (unsigned i = 0; i < shards_.size(); ++i) {
    engine_->post(i, [task, shard = shards_[i]] { task(*shard); });
  }
}

void LoadRun::dial(Signaller& signaller) {
  const auto parts = static_cast<unsigned>(shards_.size());
  for (unsigned i = 0; i < parts; ++i) {
    const unsigned count = part_of(plan_.config.connections, parts, i);
    engine_->post(i,
                  [this, i, count, &signaller] { shards_[i]->dial(*engine_, signaller, count); });
  }
  // Each connection ends in time by itself: open, or failed.
  while (!on_all([](const LoadShard& shard) { return shard.dialled(); }, kLine)) {
    unsigned settled = 0;
    for (const LoadShard* const shard : shards_) settled += shard->settled();
    std::fprintf(stderr, "opening connections: %u of %u\n", settled, plan_.config.connections);
  }
}

void LoadRun::prepare() {
  for (unsigned i = 0; i < shards_.size(); ++i) {
    engine_->post(i, [shard = shards_[i], i] { shard->prepare(i == 0); });
  }
  if (!on_all([](const LoadShard& shard) { return shard.prepared(); }, kPrepareLimit)) {
    std::fprintf(stderr, "millrace: not all channels opened within 10 s\n");
  }
}

void LoadRun::sample(report::LoadReport& report, double at, double span) {
  // Filled on the shards; a shard that is too busy to answer in time is left out.
  struct Sum {
    std::mutex mutex;
    ShardSample total;
    std::size_t missing = 0;
  };
  auto sum = std::make_shared<Sum>();
  sum->missing = shards_.size();
  post_all([sum](LoadShard& shard) {
    const ShardSample sample = shard.take_sample();
    const std::lock_guard lock(sum->mutex);
    sum->total.traffic.messages += sample.traffic.messages;
    sum->total.traffic.bytes += sample.traffic.bytes;
    sum->total.latency.merge(sample.latency);
    --sum->missing;
  });
  pacer_.wait_until(
      [&] {
        const std::lock_guard lock(sum->mutex);
        return sum->missing == 0;
      },
      pacer_.now() + milliseconds(200));
  const std::lock_guard lock(sum->mutex);
  report::Second second;
  second.at = at;
  second.warmup = at - span / 2 < seconds_of(plan_.config.warmup);
  second.messages_per_second = static_cast<double>(sum->total.traffic.messages) / span;
  second.mbps = static_cast<double>(sum->total.traffic.bytes) * 8e-6 / span;
  second.p50_us = 1e-3 * static_cast<double>(sum->total.latency.percentile(50));
  second.p99_us = 1e-3 * static_cast<double>(sum->total.latency.percentile(99));
  report.seconds.push_back(second);
  std::fprintf(stderr, "%5.0f s  %10.0f msg/s  %9.1f Mbit/s", at, second.messages_per_second,
               second.mbps);
  if (second.p50_us > 0) {
    std::fprintf(stderr, "  p50 %.0f us  p99 %.0f us", second.p50_us, second.p99_us);
  }
  std::fprintf(stderr, "%s\n", second.warmup ? "  (warm-up)" : "");
}

void LoadRun::carry_traffic(report::LoadReport& report) {
  unsigned channels = 0;
  for (const LoadShard* const shard : shards_) channels += shard->channels();
  const Time start = pacer_.now();
  post_all([channels](LoadShard& shard) {
    shard.start(channels == 0 ? 1.0 : static_cast<double>(shard.channels()) / channels);
  });
  const auto finished = [](const LoadShard& shard) { return shard.finished(); };
  Time last = start;
  for (bool over = false; !over;) {
    over = on_all(finished, last + kLine - pacer_.now());
    if (stop_()) {
      if (!all(finished)) report.interrupted_after_seconds = seconds_of(pacer_.now() - start);
      post_all([](LoadShard& shard) { shard.cut_short(); });
      // Whether or not all end in time, the run does.
      static_cast<void>(
          pacer_.wait_until([&] { return all(finished); }, pacer_.now() + plan_.patience + kLine));
      return;
    }
    const Time now = pacer_.now();
    const bool whole_second = now - last >= kLine;
    if (whole_second) sample(report, seconds_of(now - start), seconds_of(now - last));
    if (whole_second) last = now;
  }
}

report::LoadReport LoadRun::run(Signaller& signaller) {
  report::LoadReport report;
  report.config = plan_.config;
  report.environment = report::this_machine();
  report.environment.back_end = to_string(engine_->io());
  report.environment.version = kVersion;
  engine_->start();
  dial(signaller);
  unsigned opened = 0;
  for (const LoadShard* const shard : shards_) opened += shard->opened();
  if (opened > 0 && !stop_()) prepare();
  if (stop_()) {
    report.interrupted_after_seconds = 0;
  } else if (opened > 0) {
    carry_traffic(report);
  }
  engine_->stop();
  for (const LoadShard* const shard : shards_) shard->add_to(report);
  for (const ShardStats& shard : engine_->stats().shards) {
    report.records_per_seal = std::max(report.records_per_seal, shard.records_per_seal_p50);
    report.records_per_open = std::max(report.records_per_open, shard.records_per_open_p50);
  }
  // What it records is whole only then.
  engine_.reset();
  shards_.clear();
  return report;
}

}  // namespace millrace::cli
