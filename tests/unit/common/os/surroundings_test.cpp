#include "common/os/surroundings.hpp"

#include <gtest/gtest.h>

namespace stest {
namespace {

TEST(SurroundingsTest, KnowsItsOwn) {
  const auto& own = own_surroundings();
  EXPECT_EQ(own.at("pid").substr(0, 5), "pid:[");
  for (const auto* kind : {"mnt", "net", "ipc", "uts", "user", "Seccomp", "NoNewPrivs", "machine"}) {
    EXPECT_EQ(own.count(kind), 1u) << kind;
  }
  EXPECT_EQ(different_surroundings(own, own_surroundings()), "");
  EXPECT_EQ(proc_problem(), std::nullopt);
}

TEST(SurroundingsTest, NamesWhatDiffers) {
  const Surroundings one{{"pid", "1"}, {"mnt", "1"}, {"net", "1"}, {"Seccomp_filters", "0"}};
  auto other = one;
  other["mnt"] = "2";
  EXPECT_EQ(different_surroundings(one, other), "mount namespace");
  EXPECT_TRUE(shares_pids(one, other));
  other["pid"] = "2";
  other["Seccomp_filters"] = "1";
  EXPECT_EQ(different_surroundings(one, other),
            "PID namespace, mount namespace and number of seccomp filters");
  EXPECT_FALSE(shares_pids(one, other));
}

TEST(SurroundingsTest, WhatOnlyOneKnowsDoesNotCount) {
  EXPECT_EQ(different_surroundings({{"pid", "1"}}, {}), "");
  EXPECT_EQ(different_surroundings({}, {{"NoNewPrivs", "1"}}), "");
}

}  // namespace
}  // namespace stest
