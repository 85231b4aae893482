// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "engine/cli/load_shard.h"
#include "millrace/simulation.h"

namespace millrace::cli {

// Pacer waits for other threads to get something done, or does it: `RealPacer` sleeps,
// `SimPacer` runs a simulated network.
class Pacer {
 public:
  virtual ~Pacer() = default;
  virtual Time now() const = 0;
  // False at the deadline.
  virtual bool wait_until(const std::function<bool()>& done, Time deadline) = 0;
};

class RealPacer final : public Pacer {
 public:
  Time now() const override;
  bool wait_until(const std::function<bool()>& done, Time deadline) override;
};

class SimPacer final : public Pacer {
 public:
  explicit SimPacer(std::shared_ptr<Simulation> simulation) : simulation_(std::move(simulation)) {}
  Time now() const override { return simulation_->now(); }
  bool wait_until(const std::function<bool()>& done, Time deadline) override {
    return simulation_->run_until(done, deadline);
  }

 private:
  std::shared_ptr<Simulation> simulation_;
};

// LoadRun is one run of the load generator, from dialling to the report.
class LoadRun {
 public:
  // `plan`, `pacer` and `stop` outlive this. `stop` says that a person has had enough.
  LoadRun(const LoadPlan& plan, Pacer& pacer, std::function<bool()> stop)
      : plan_(plan), pacer_(pacer), stop_(std::move(stop)) {}

  // Makes the engine; a Signaller may then be made, and `run`.
  std::optional<Error> create(EngineOptions options);

  // Runs all phases, once, and ends the engine. Its progress goes to stderr, a line a second.
  report::LoadReport run(Signaller& signaller);

 private:
  bool all(const std::function<bool(const LoadShard&)>& are) const;
  bool on_all(const std::function<bool(const LoadShard&)>& is, Duration limit);
  void post_all(const std::function<void(LoadShard&)>& task);
  void dial(Signaller& signaller);
  void prepare();
  void carry_traffic(report::LoadReport& report);
  void sample(report::LoadReport& report, double at, double span);

  const LoadPlan& plan_;
  Pacer& pacer_;
  std::function<bool()> stop_;
  std::vector<LoadShard*> shards_;
  std::unique_ptr<Engine> engine_;
};

}  // namespace millrace::cli
