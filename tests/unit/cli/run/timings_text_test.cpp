#include "cli/run/timings_text.hpp"

#include <gtest/gtest.h>

namespace stest {
namespace {

TEST(TimingsText, AlignsTheStagesAndTheirSum) {
  const Timings timings{0, {{"connect", 1'230'000}, {"tests", 12'345'670'000}}};
  EXPECT_EQ(timings_text(timings),
            "  connect            1.23\n"
            "  tests          12345.67\n"
            "  total          12346.90\n");
}

TEST(TimingsText, HasASumThatIsExactInSpiteOfRounding) {
  const Timings timings{0, {{"a", 5'000}, {"b", 5'000}, {"c", 19'999}}};
  EXPECT_EQ(timings_text(timings),
            "  a                  0.00\n"
            "  b                  0.01\n"
            "  c                  0.01\n"
            "  total              0.02\n");
}

}  // namespace
}  // namespace stest
