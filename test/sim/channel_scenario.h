// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engine/base/rng.h"
#include "sctp/dcep/data_channels.h"
#include "test/support/association_pair.h"

namespace millrace::test {

// ChannelScenario drives one seed: two ends open channels in-band and negotiated, before
// and after they connect, send in all modes, close from either side or both at once, and
// use ids again. It keeps a ledger and reports what breaks a promise as a test failure.
class ChannelScenario {
 public:
  struct Coverage {
    std::uint64_t opened_in_band = 0;
    std::uint64_t opened_negotiated = 0;
    std::uint64_t closed_by_both = 0;
    std::uint64_t ids_used_again = 0;
    std::uint64_t retransmissions = 0;
    std::uint64_t given_up = 0;  // Messages of unreliable channels that did not arrive.
    std::array<std::uint64_t, 4> messages_by_mode{};
    Coverage& operator+=(const Coverage& other);
  };

  explicit ChannelScenario(std::uint64_t seed);
  void run();
  std::uint64_t trace_hash() const { return pair_.trace_hash(); }
  const Coverage& coverage() const { return coverage_; }

 private:
  // One end of a channel, as its owner knows it.
  struct Side {
    std::optional<sctp::ChannelHandle> handle;
    bool may_send = false;
    bool closed_here = false;  // `close` was called before the peer's close was known.
    bool gone = false;         // kClosed came.
    std::vector<std::uint32_t> sent;
    std::vector<std::uint32_t> received;
    std::set<std::uint32_t> seen;
  };
  // A channel is known by its label, a number that is never used twice.
  struct Channel {
    sctp::ChannelReliability reliability;
    std::optional<std::uint16_t> negotiated_id;
    int opener = 0;
    std::array<Side, 2> sides;
    bool is_reliable() const {
      return !reliability.max_retransmits && !reliability.max_packet_life_time_ms;
    }
    std::size_t mode() const { return (is_reliable() ? 0u : 2u) + (reliability.ordered ? 0u : 1u); }
  };
  using Label = std::uint32_t;

  sctp::Options options();
  LinkOptions path();

  void connect();
  void act();
  void open_in_band(int end);
  void open_negotiated();
  void close_one(int end);
  void close(int end, Label label);
  void send_one(int end);
  void send(int end, Label label);
  void settle();
  void close_all();
  void finish();

  bool poll(int end);
  void handle(int end, const sctp::ChannelEvent& event);
  void handle_association(int end, const sctp::Event& event);
  void handle_opened_by_peer(int end, const sctp::ChannelEvent& event);
  void handle_end(int end, const sctp::ChannelEvent& event);
  void receive(int end, const sctp::ChannelEvent& event);
  void judge(const Channel& channel, Label label, int receiver);
  void expect_drops(int end);

  Label add(int opener, std::optional<std::uint16_t> negotiated_id);
  sctp::ChannelConfig config_of(const Channel& channel, const std::string& label);
  Label label_of(int end, sctp::ChannelHandle handle);
  std::optional<Label> pick_live(int end);
  bool all_gone() const;
  static std::size_t index(int end) { return static_cast<std::size_t>(end); }

  SeededRng rng_;
  AssociationPair pair_;
  std::array<std::optional<sctp::DataChannels>, 2> channels_;
  std::deque<Channel> ledger_;  // By label.
  std::array<std::map<std::uint32_t, Label>, 2> by_slot_;
  std::array<std::set<Label>, 2> live_;  // May be sent on or closed.
  std::array<std::set<std::uint16_t>, 2> ids_used_;
  std::set<std::uint16_t> negotiated_;  // Ids whose channel is not gone at both ends.
  std::uint32_t next_number_ = 1;
  std::array<bool, 2> up_{};
  std::array<sctp::CloseReason, 2> closed_{};
  Coverage coverage_;
};

}  // namespace millrace::test
