#include "daemon/run/shown_output.hpp"

#include <gtest/gtest.h>

namespace stest {
namespace {

TEST(ShownOutput, ShowsAllOfTheFirstProcess) {
  ShownOutput shown;
  EXPECT_EQ(shown.news("one "), "one ");
  EXPECT_EQ(shown.news("one "), "one ");
}

TEST(ShownOutput, WhatTheNextOneSaysAgainIsNoNews) {
  ShownOutput shown;
  shown.news("header\n");
  shown.news("collecting");
  shown.start_over();
  EXPECT_EQ(shown.news("head"), "");
  EXPECT_EQ(shown.news("er\ncollecting more"), " more");
  EXPECT_EQ(shown.news("header\n"), "header\n");
  shown.start_over();
  EXPECT_EQ(shown.news("header\ncollecting more"), "") << "of the second one it is remembered too";
}

TEST(ShownOutput, FromWhereItDiffersItIsShown) {
  ShownOutput shown;
  shown.news("seed 12\ncollected");
  shown.start_over();
  EXPECT_EQ(shown.news("seed 13\n"), "3\n");
  EXPECT_EQ(shown.news("collected"), "collected");
}

TEST(ShownOutput, OnceSettledNothingIsRemembered) {
  ShownOutput shown;
  shown.news("one");
  shown.settle();
  shown.start_over();
  EXPECT_EQ(shown.news("one"), "one");
}

}  // namespace
}  // namespace stest
