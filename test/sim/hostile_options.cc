// SPDX-License-Identifier: Apache-2.0
#include "test/sim/hostile_options.h"

#include <algorithm>

#include "engine/base/check.h"

namespace millrace::test {
namespace {

// A path carries packets of this size, at least: the floor of every stack in use.
constexpr std::size_t kLeastMtuBytes = 1280;
// RFC 9260 §3.3.2: no INIT offers less.
constexpr std::size_t kLeastWindowBytes = 1500;

// Lots draws numbers as options want them.
class Lots {
 public:
  explicit Lots(Rng& rng) : rng_(rng) {}

  bool chance(std::uint64_t one_in) { return rng_.below(one_in) == 0; }
  std::uint64_t below(std::uint64_t end) { return rng_.below(end); }
  std::uint64_t between(std::uint64_t least, std::uint64_t most) {
    return least + rng_.below(most - least + 1);
  }
  milliseconds time_between(std::uint64_t least, std::uint64_t most) {
    return milliseconds(static_cast<std::int64_t>(between(least, most)));
  }
  double percent_up_to(std::uint64_t most) { return static_cast<double>(between(0, most)) / 100; }

 private:
  Rng& rng_;
};

void draw_timers(Lots& lots, sctp::Options& options) {
  const bool latency = lots.chance(3);
  sctp::apply_profile(latency ? sctp::Profile::kLatency : sctp::Profile::kInternet, options);
  // Half of the ends have the profile's own.
  if (lots.chance(2)) {
    options.rto_min = lots.chance(3) ? milliseconds(1) : lots.time_between(10, 1000);
    options.sack_delay = lots.chance(3) ? milliseconds(0) : lots.time_between(1, 200);
  }
  options.rto_initial = std::max(options.rto_initial, options.rto_min);
  // What follows keeps an end from giving up, or from waiting for hours, on such a path.
  options.rto_max = seconds(2);
  options.max_init_retransmits = 60;
  options.max_retransmits = 60;
  options.shutdown_guard = seconds(600);
  options.cookie_lifetime = seconds(lots.chance(8) ? 1 : 60);
  options.heartbeat_interval = lots.time_between(200, 2200);
  CHECK(sctp::problem_of(options).empty());
}

void draw_windows(Lots& lots, sctp::Options& options, sctp::ReceiveBudget& budget) {
  options.receive_window_bytes =
      lots.chance(8) ? lots.between(kLeastWindowBytes, 10000) : std::size_t{16384} << lots.below(7);
  options.max_receive_window_bytes =
      lots.chance(2) ? 0 : options.receive_window_bytes << lots.below(5);
  if (lots.chance(2)) options.receive_budget = &budget;
  if (lots.chance(3)) options.partial_delivery_bytes = std::size_t{2048} << lots.below(8);
  options.max_message_bytes = std::size_t{1} << 20;
  options.send_buffer_bytes = std::size_t{32768} << lots.below(6);
  if (lots.chance(2)) options.stream_send_buffer_bytes = options.send_buffer_bytes >> lots.below(4);
}

}  // namespace

void redraw_manner(Rng& rng, sctp::Options& options) {
  Lots lots(rng);
  draw_timers(lots, options);
  const auto& algorithms = sctp::kCongestionAlgorithms;
  options.congestion = algorithms[lots.below(algorithms.size())].algorithm;
  options.congestion_rate = lots.between(50'000, 12'500'000);
  using enum sctp::StreamScheduling;
  constexpr std::array kRules{kFirstComeFirstServed, kRoundRobin, kWeightedFair, kStrictPriority};
  options.scheduling = kRules[lots.below(kRules.size())];
  options.extensions.i_data = !lots.chance(4);
}

std::array<sctp::Options, 2> random_ends(Rng& rng, bool checksum, sctp::ReceiveBudget& budget) {
  Lots lots(rng);
  std::array<sctp::Options, 2> ends;
  for (sctp::Options& options : ends) {
    redraw_manner(rng, options);
    draw_windows(lots, options, budget);
    options.extensions.forward_tsn = !lots.chance(6);
    options.extensions.reconfig = !lots.chance(10);
    options.extensions.zero_checksum = !lots.chance(3);
    options.extensions.pad = !lots.chance(6);
    options.path_mtu.enabled = !lots.chance(3);
  }
  if (checksum) ends[lots.below(2)].extensions.zero_checksum = false;
  return ends;
}

LinkOptions random_path(Rng& rng, bool corrupts) {
  Lots lots(rng);
  LinkOptions link;
  link.delay = microseconds(static_cast<std::int64_t>(lots.below(lots.chance(4) ? 100000 : 15000)));
  link.loss = lots.percent_up_to(30);
  link.duplicate = lots.percent_up_to(15);
  link.reorder = lots.percent_up_to(30);
  link.reorder_delay = microseconds(static_cast<std::int64_t>(lots.between(1, 15000)));
  if (corrupts) link.corrupt = lots.percent_up_to(10);
  constexpr std::array<std::size_t, 4> kMtus{kLeastMtuBytes, 1400, 1500, 9000};
  link.max_packet_bytes = kMtus[lots.below(kMtus.size())] - 65;  // IP, UDP and DTLS.
  return link;
}

}  // namespace millrace::test
