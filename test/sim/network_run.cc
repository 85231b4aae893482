// SPDX-License-Identifier: Apache-2.0
#include "test/sim/network_run.h"

#include <algorithm>
#include <memory>

namespace millrace::sim {
namespace {

// Network is the state of one run.
class Network {
 public:
  Network(const Scenario& scenario, std::uint64_t seed)
      : scenario_(scenario),
        slots_(scenario.largest_mtu()),
        up_(with_queue(scenario.up), scenario.outages, seed * 2 + 1),
        down_(with_queue(scenario.down), scenario.outages, seed * 2 + 2),
        next_sample_(scenario.sample_every > Duration::zero() ? kOrigin : kNever) {
    for (std::size_t i = 0; i < scenario.flows.size(); ++i) {
      flows_.push_back(std::make_unique<Flow>(scenario_.flows[i], scenario_, seed * 1000 + i,
                                              slots_, up_, down_));
    }
  }

  RunReport run() {
    const Time end = kOrigin + scenario_.length;
    RunReport report;
    for (;;) {
      const Next next = find_next();
      const Time apart = std::min(next_change(), next_sample_);
      if (std::min(next.at, apart) >= end) break;
      if (apart <= next.at) {
        happen_apart(apart);
        continue;
      }
      ++report.turns;
      flows_[next.flow]->turn(next.end, next.at);
    }
    for (const auto& flow : flows_) {
      report.flows.push_back(flow->report(end));
      report.goodput_bps += report.flows.back().goodput_bps;
    }
    report.up = up_.stats();
    report.down = down_.stats();
    if (scenario_.up.bits_per_second > 0) {
      report.share = report.goodput_bps / scenario_.payload_capacity();
    }
    return report;
  }

 private:
  struct Next {
    Time at = kNever;
    std::size_t flow = 0;
    int end = 0;
  };

  LinkOptions with_queue(LinkOptions link) const {
    if (link.queue_bytes == 0) link.queue_bytes = one_bdp(link, scenario_.base_rtt());
    return link;
  }
  // Flows are few: a look at each costs less than any order kept of them.
  Next find_next() const {
    Next next;
    for (std::size_t i = 0; i < flows_.size(); ++i) {
      for (const int end : {Flow::kClient, Flow::kServer}) {
        if (flows_[i]->wake(end) < next.at) next = {flows_[i]->wake(end), i, end};
      }
    }
    return next;
  }
  Time next_change() const {
    return change_ < scenario_.changes.size() ? kOrigin + scenario_.changes[change_].at : kNever;
  }
  void happen_apart(Time now) {
    if (now == next_sample_) {
      for (const auto& flow : flows_) flow->sample(now);
      next_sample_ += scenario_.sample_every;
      return;
    }
    const Change& change = scenario_.changes[change_++];
    if (change.mtu_bytes) {
      up_.set_mtu(*change.mtu_bytes);
      down_.set_mtu(*change.mtu_bytes);
    }
    if (!change.bits_per_second) return;
    const double factor = up_.set_rate(now, *change.bits_per_second);
    down_.set_rate(now, *change.bits_per_second);
    for (const auto& flow : flows_) {
      flow->rescale(Flow::kClient, now, factor);
      flow->rescale(Flow::kServer, now, factor);
    }
  }

  const Scenario& scenario_;
  PacketSlots slots_;
  Link up_;
  Link down_;
  std::vector<std::unique_ptr<Flow>> flows_;
  std::size_t change_ = 0;
  Time next_sample_;
};

}  // namespace

RunReport run_scenario(const Scenario& scenario, std::uint64_t seed) {
  return Network(scenario, seed).run();
}

}  // namespace millrace::sim
