#include "cli/verify/times_text.hpp"

#include <gtest/gtest.h>

namespace stest {
namespace {

TEST(TimesTextTest, ComparesWithPlainPytest) {
  EXPECT_EQ(times_text({4.73, 5.2, 0.054}),
            "  plain pytest        4.730 s\n"
            "  first stest run     5.200 s      0.9 times as fast\n"
            "  warm stest run      0.054 s       88 times as fast\n");
}

TEST(TimesTextTest, SaysWhatWasOnlyWaiting) {
  EXPECT_EQ(times_text({1, 2, 0.5, 1.25}),
            "  plain pytest        1.000 s\n"
            "  first stest run     2.000 s      0.5 times as fast\n"
            "    (1.250 s of it waiting for the worker; otherwise plain pytest runs meanwhile)\n"
            "  warm stest run      0.500 s      2.0 times as fast\n");
}

}  // namespace
}  // namespace stest
