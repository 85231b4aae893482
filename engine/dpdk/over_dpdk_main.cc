// SPDX-License-Identifier: Apache-2.0
//
// The engine's tests over DPDK; and here, with its reason, what cannot be had over it. What
// engine_test has besides touches no datapath, but for EngineCreate: ports and descriptors there
// are the kernel's.
#include <gtest/gtest.h>

#include <cstdio>
#include <set>
#include <string>

namespace {

struct Exempt {
  const char* test;
  const char* why;
};

constexpr Exempt kNotOverDpdk[] = {
    {"PathMtuTest.AnInterfaceThatShrinksCostsOneRetransmission",
     "an interface of the kernel's refuses what its MTU is lowered below; a device's is set once"},
    {"PathMtuTest.ARouterThatTellsCostsNoWait",
     "the switch between the devices says nothing of what it drops; io/net's tests read such "
     "words"},
    {"PathMtuTest.NoForgedWordOfARouterChangesAnything",
     "they are forged in the simulated network"},
};

std::set<std::string> all_tests() {
  std::set<std::string> names;
  const testing::UnitTest& unit = *testing::UnitTest::GetInstance();
  for (int i = 0; i < unit.total_test_suite_count(); ++i) {
    const testing::TestSuite& suite = *unit.GetTestSuite(i);
    for (int j = 0; j < suite.total_test_count(); ++j) {
      names.insert(std::string(suite.name()) + "." + suite.GetTestInfo(j)->name());
    }
  }
  return names;
}

}  // namespace

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  const std::set<std::string> tests = all_tests();
  std::string filter = testing::GTEST_FLAG(filter);
  filter += filter.find('-') == std::string::npos ? "-" : ":";
  for (const Exempt& exempt : kNotOverDpdk) {
    if (!tests.contains(exempt.test)) {
      std::fprintf(stderr, "%s: there is no such test to exempt\n", exempt.test);
      return 1;
    }
    std::printf("not over DPDK: %s: %s\n", exempt.test, exempt.why);
    filter += std::string(exempt.test) + ":";
  }
  testing::GTEST_FLAG(filter) = filter;
  return RUN_ALL_TESTS();
}
