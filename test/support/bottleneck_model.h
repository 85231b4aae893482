// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <limits>
#include <memory>
#include <vector>

#include "engine/base/rng.h"
#include "sctp/tx/congestion_control.h"

namespace millrace::test {

// Bottleneck is the one link of a model path: a rate, a drop-tail queue before it, a delay.
struct Bottleneck {
  double rate = 12.5e6;  // Bytes a second.
  Duration rtt = milliseconds(20);
  std::size_t queue_bytes = 250'000;
  double loss = 0;                  // Of each packet, by lot.
  Duration ack_every = Duration();  // One SACK for what arrives in so long; 0: one a packet.
};

// ModelFlow is a sender of packets of one size under a CongestionControl, which it tells all
// that a DataSender would, by the rules of draft-ietf-ccwg-bbr §4.1. There is no data: what is
// lost is not sent again, for the controller cannot tell.
class ModelFlow {
 public:
  ModelFlow(std::unique_ptr<sctp::CongestionControl> control, std::size_t packet_bytes);

  sctp::CongestionControl& control() { return *control_; }
  // What the application supplies, bytes a second; without it as much as can be sent.
  void limit_application(double rate) {
    application_rate_ = rate;
    supplied_ = 0;
    supply_from_ = Time::min();
  }

  // The application has as much as can be sent again, from here on.
  void resume_application() { application_rate_ = std::numeric_limits<double>::infinity(); }
  std::uint64_t total_delivered() const { return delivered_; }
  std::uint64_t total_lost() const { return lost_; }

  // Since `start_measuring`.
  std::uint64_t delivered() const { return delivered_ - delivered_mark_; }
  std::uint64_t lost() const { return lost_ - lost_mark_; }
  std::uint64_t sent() const { return sent_; }
  Duration rtt_percentile(double share);

 private:
  friend class BottleneckModel;
  struct Packet {
    sctp::SentState sent;
    Time arrives = kNever;  // Its SACK's arrival; kNever: dropped.
    std::uint64_t number = 0;
  };

  Time next_event(const Bottleneck& path) const;
  void handle_ack(Time now);
  void take_arrivals(Time now, sctp::AckSample& sample);
  void find_losses(Time now, sctp::AckSample& sample);
  void fill_rate(Time now, const Packet& newest, sctp::AckSample& sample);
  void handle_timeout(Time now);
  bool may_send(Time now);
  std::size_t supply(Time now);

  std::unique_ptr<sctp::CongestionControl> control_;
  std::size_t packet_bytes_;
  double application_rate_ = std::numeric_limits<double>::infinity();
  Time supply_from_{};
  std::uint64_t supplied_ = 0;  // Sent of what the application supplied since.

  std::deque<Packet> packets_;
  std::uint64_t next_number_ = 1;
  std::uint64_t highest_acked_ = 0;
  std::uint64_t recovery_exit_ = 0;
  std::uint64_t round_exit_ = 0;
  Time recovery_began_{};
  Time progress_at_{};
  bool in_recovery_ = false;
  bool limited_now_ = false;     // The window held it back in this round,
  bool limited_before_ = false;  // and in the last.

  std::uint64_t delivered_ = 0;
  std::uint64_t lost_ = 0;
  std::uint64_t sent_ = 0;
  std::uint64_t delivered_mark_ = 0;
  std::uint64_t lost_mark_ = 0;
  std::size_t flight_ = 0;
  std::uint64_t app_limited_until_ = 0;
  Time delivered_at_{};
  Time first_sent_at_{};
  Time next_send_{};
  Duration srtt_{};
  Duration min_rtt_ = Duration::max();
  std::vector<Duration> rtts_;
};

// BottleneckModel runs flows over one bottleneck in virtual time, packet by packet.
class BottleneckModel {
 public:
  BottleneckModel(const Bottleneck& path, std::uint64_t seed) : path_(path), rng_(seed) {}

  ModelFlow& add(const sctp::CongestionControlOptions& options);
  ModelFlow& add(std::unique_ptr<sctp::CongestionControl> control, std::size_t packet_bytes);
  Bottleneck& path() { return path_; }
  Time now() const { return now_; }

  void run(Duration time) {
    run_until([] { return false; }, time);
  }
  // Until `done`, which is asked after each event; false if `limit` came first.
  bool run_until(const std::function<bool()>& done, Duration limit);
  // Figures of the flows begin here.
  void start_measuring();

 private:
  void send(ModelFlow& flow);
  Time transmit();

  Bottleneck path_;
  SeededRng rng_;
  Time now_{seconds(1)};
  Time link_free_at_{};
  std::vector<std::unique_ptr<ModelFlow>> flows_;
};

}  // namespace millrace::test
