#include "common/version.hpp"

#include <gtest/gtest.h>

namespace stest {
namespace {

TEST(Version, IsTheOneOfTheProject) { EXPECT_EQ(stest_version(), STEST_EXPECTED_VERSION); }

}  // namespace
}  // namespace stest
