// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "test/sim/network_run.h"

namespace millrace::sim {
namespace {

std::string line(const char* what, double value, const char* relation, double bound) {
  std::array<char, 200> text;
  std::snprintf(text.data(), text.size(), "%s: %.4g, bound %s %.4g", what, value, relation, bound);
  return text.data();
}

double milliseconds_of(Duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

// Judge collects what is broken.
class Judge {
 public:
  void at_least(const char* what, double value, const std::optional<double>& bound) {
    if (bound && !(value >= *bound)) broken_.push_back(line(what, value, ">=", *bound));
  }
  void at_most(const char* what, double value, const std::optional<double>& bound) {
    if (bound && !(value <= *bound)) broken_.push_back(line(what, value, "<=", *bound));
  }
  void at_most_ms(const char* what, double value, const std::optional<Duration>& bound) {
    if (bound) at_most(what, value, milliseconds_of(*bound));
  }
  void is_true(bool holds, std::string text) {
    if (!holds) broken_.push_back(std::move(text));
  }
  std::vector<std::string> take() { return std::move(broken_); }

 private:
  std::vector<std::string> broken_;
};

void judge_traffic(Judge& judge, const TrafficOptions& options, const TrafficReport& report) {
  const auto percentile = [&report](double percent) {
    return static_cast<double>(report.latency.percentile(percent)) / 1e6;
  };
  judge.at_most_ms("latency p50 in ms", percentile(50), options.max_p50);
  judge.at_most_ms("latency p99 in ms", percentile(99), options.max_p99);
  judge.at_most_ms("latency at most in ms", percentile(100), options.max_latency);
  const bool bounded = options.max_p50 || options.max_p99 || options.max_latency;
  judge.is_true(!bounded || report.latency.count() > 0, "latency: no message arrived");
  judge.is_true(report.disorder == 0, "order: messages came out of it");
}

void judge_flow(Judge& judge, const Scenario& scenario, const FlowReport& flow) {
  const Bounds& bounds = scenario.bounds;
  judge.is_true(flow.closed == sctp::CloseReason::kNone,
                "association: closed, " + std::string(sctp::to_string(flow.closed)));
  const double mathis = mathis_bps(scenario, flow.mss_bytes);
  judge.at_least("goodput over Mathis's formula", flow.goodput_bps / mathis, bounds.min_of_mathis);
  judge.at_most("goodput over Mathis's formula", flow.goodput_bps / mathis, bounds.max_of_mathis);
  judge.at_least("goodput over the response function",
                 flow.goodput_bps / response_bps(scenario, flow.mss_bytes), bounds.min_of_response);
  const double base = static_cast<double>(scenario.base_rtt().count());
  judge.at_most("rtt p95 in base round trips", static_cast<double>(flow.rtt.percentile(95)) / base,
                bounds.max_rtt_p95);
  const auto sent = static_cast<double>(std::max<std::uint64_t>(flow.client.data_chunks_sent, 1));
  judge.at_most("retransmitted share of the chunks",
                static_cast<double>(flow.client.retransmitted_chunks) / sent,
                bounds.max_retransmitted);
  const double recovery = flow.caught_up ? milliseconds_of(*flow.caught_up) : HUGE_VAL;
  judge.at_most_ms("recovery after the outage in ms", recovery, bounds.max_recovery);
}

double fairness_of(const RunReport& report) {
  const auto [least, most] =
      std::ranges::minmax_element(report.flows, {}, &FlowReport::goodput_bps);
  return most->goodput_bps > 0 ? least->goodput_bps / most->goodput_bps : 0;
}

Scenario without_impairment(Scenario scenario) {
  for (LinkOptions* const link : {&scenario.up, &scenario.down}) {
    link->loss = link->reorder = link->duplicate = link->corrupt = 0;
  }
  scenario.outages.clear();
  scenario.sample_every = Duration::zero();
  return scenario;
}

}  // namespace

double mathis_bps(const Scenario& scenario, std::size_t mss_bytes) {
  const double rtt = std::chrono::duration<double>(scenario.base_rtt()).count();
  const double loss = scenario.up.loss;
  const double capacity = scenario.payload_capacity() > 0 ? scenario.payload_capacity() : HUGE_VAL;
  if (loss <= 0) return capacity;
  return std::min(capacity, static_cast<double>(mss_bytes) * 8 / rtt * std::sqrt(1.5 / loss));
}

double response_bps(const Scenario& scenario, std::size_t mss_bytes) {
  const double rtt = std::chrono::duration<double>(scenario.base_rtt()).count();
  const double mathis = mathis_bps(scenario, mss_bytes);
  if (scenario.up.loss <= 0) return mathis;
  // RFC 9438 §5.1 with C of 0.4 and a beta of 0.7: 1.054 is (0.4 * 3.7 / 1.2)^(1/4).
  const double segments = 1.054 * std::pow(rtt / scenario.up.loss, 0.75);
  const double cubic = segments * static_cast<double>(mss_bytes) * 8 / rtt;
  const double capacity = scenario.payload_capacity() > 0 ? scenario.payload_capacity() : HUGE_VAL;
  return std::min(capacity, std::max(mathis, cubic));
}

std::vector<std::string> judge(const Scenario& scenario, std::uint64_t seed,
                               const RunReport& report) {
  Judge judge;
  const Bounds& bounds = scenario.bounds;
  judge.at_least("share of the payload capacity", report.share, bounds.min_share);
  judge.at_least("goodput in Mbit/s", report.goodput_bps / 1e6, bounds.min_mbps);
  judge.at_least("slowest flow over fastest", fairness_of(report), bounds.min_fairness);
  for (std::size_t i = 0; i < report.flows.size(); ++i) {
    judge_flow(judge, scenario, report.flows[i]);
    const auto& traffic = scenario.flows[i].traffic;
    for (std::size_t j = 0; j < traffic.size(); ++j) {
      judge_traffic(judge, traffic[j], report.flows[i].traffic[j]);
    }
    if (bounds.max_socket_drops) {
      judge.at_most("datagrams that found a socket full",
                    static_cast<double>(report.flows[i].socket_drops),
                    static_cast<double>(*bounds.max_socket_drops));
    }
  }
  if (bounds.min_of_clean) {
    const RunReport clean = run_scenario(without_impairment(scenario), seed);
    judge.at_least("goodput over that of the same path in order",
                   report.goodput_bps / clean.goodput_bps, bounds.min_of_clean);
  }
  return judge.take();
}

}  // namespace millrace::sim
