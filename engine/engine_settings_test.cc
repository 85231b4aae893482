// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "engine/settings.h"

namespace millrace::engine {
namespace {

std::string fault_of(const SctpOptions& sctp) {
  EngineOptions options;
  options.sctp = sctp;
  const Result<Settings, Error> settings = Settings::from(std::move(options));
  return settings ? "" : settings.error().message;
}

TEST(EngineSettings, ReachTheAssociation) {
  EngineOptions options;
  options.sctp.congestion_control = CongestionControl::kFixedRate;
  options.sctp.fixed_rate_bits = 80'000'000;
  options.sctp.rto_min = milliseconds(1);
  options.sctp.sack_delay = milliseconds(0);
  Result<Settings, Error> settings = Settings::from(options);
  ASSERT_TRUE(settings);
  EXPECT_EQ(settings->sctp.congestion, sctp::CongestionAlgorithm::kFixedRate);
  EXPECT_EQ(settings->sctp.congestion_rate, 10'000'000u);
  EXPECT_EQ(settings->sctp.rto_min, milliseconds(1));
  EXPECT_EQ(settings->sctp.sack_delay, milliseconds(0));
  for (const auto& [control, algorithm] :
       {std::pair{CongestionControl::kCubic, sctp::CongestionAlgorithm::kCubic},
        std::pair{CongestionControl::kNewReno, sctp::CongestionAlgorithm::kNewReno},
        std::pair{CongestionControl::kBbr, sctp::CongestionAlgorithm::kBbr},
        std::pair{CongestionControl::kTfrc, sctp::CongestionAlgorithm::kTfrc}}) {
    options.sctp.congestion_control = control;
    EXPECT_EQ(Settings::from(options)->sctp.congestion, algorithm);
  }
}

TEST(EngineSettings, TakeTheProfilesTimersButForThoseThatWereSet) {
  EngineOptions options;
  options.sctp.profile = Profile::kLatency;
  options.sctp.sack_delay = milliseconds(3);
  const Result<Settings, Error> settings = Settings::from(options);
  ASSERT_TRUE(settings.ok());
  sctp::Options profile;
  sctp::apply_profile(sctp::Profile::kLatency, profile);
  EXPECT_EQ(settings.value().sctp.rto_min, profile.rto_min);
  EXPECT_EQ(settings.value().sctp.linear_timeouts, profile.linear_timeouts);
  EXPECT_EQ(settings.value().sctp.max_retransmits, profile.max_retransmits);
  EXPECT_EQ(settings.value().sctp.sack_delay, milliseconds(3));
}

TEST(EngineSettings, KeepTheFirstTimeOutWithinBoundsThatWereMoved) {
  EngineOptions options;
  options.sctp.rto_max = milliseconds(100);
  EXPECT_EQ(Settings::from(options)->sctp.rto_initial, milliseconds(100));
  options.sctp.rto_max = milliseconds(2000);
  options.sctp.rto_min = milliseconds(900);
  EXPECT_EQ(Settings::from(options)->sctp.rto_initial, milliseconds(900));
  // The latency profile's floor counts, not the one that it replaces.
  options = {};
  options.sctp.profile = Profile::kLatency;
  options.sctp.rto_max = milliseconds(20);
  ASSERT_TRUE(Settings::from(options));
}

TEST(EngineSettings, NameTheValueThatIsOutOfRange) {
  EXPECT_EQ(fault_of({}), "");
  EXPECT_EQ(fault_of({.rto_min = milliseconds(0)}), "sctp.rto_min: 0 ms is not in 1 to 1000");
  EXPECT_EQ(fault_of({.rto_min = milliseconds(1001)}), "sctp.rto_min: 1001 ms is not in 1 to 1000");
  EXPECT_EQ(fault_of({.rto_max = milliseconds(20)}), "sctp.rto_max: 20 ms is below rto_min, 50 ms");
  EXPECT_EQ(fault_of({.sack_delay = milliseconds(201)}),
            "sctp.sack_delay: 201 ms is not in 0 to 200");
  EXPECT_EQ(fault_of({.fixed_rate_bits = 7'999}),
            "sctp.fixed_rate_bits: 7999 is not in 8000 to 1000000000000");
}

}  // namespace
}  // namespace millrace::engine
