#include "common/config/near_miss.hpp"

#include <gtest/gtest.h>

namespace stest {
namespace {

const std::vector<std::string> known{"run", "status", "start", "stop", "--cold", "--timings"};

TEST(NearMissTest, OneMistakeInShortNamesAndTwoInLongOnes) {
  EXPECT_EQ(near_miss("statsu", known), "status");
  EXPECT_EQ(near_miss("stauts", known), "status");
  EXPECT_EQ(near_miss("sttaus", known), "status");
  EXPECT_EQ(near_miss("stp", known), "stop");
  EXPECT_EQ(near_miss("rnu", known), "run");
  EXPECT_EQ(near_miss("--timing", known), "--timings");
  EXPECT_EQ(near_miss("--tmgs", known), "");
}

TEST(NearMissTest, OtherWordsAndTheNamesThemselvesAreNone) {
  for (const auto* word : {"tests", "test", "src", "", "run", "--cold", "--color", "--co", "--cov"}) {
    EXPECT_EQ(near_miss(word, known), "") << word;
  }
  EXPECT_EQ(near_miss(std::string(1 << 20, 's'), known), "");
}

TEST(NearMissTest, TheNearestOneWins) { EXPECT_EQ(near_miss("stat", {"status", "start"}), "start"); }

}  // namespace
}  // namespace stest
