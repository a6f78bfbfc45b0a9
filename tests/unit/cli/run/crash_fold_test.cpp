#include "cli/run/crash_fold.hpp"

#include <gtest/gtest.h>

namespace stest {
namespace {

const std::string crash =
    "tests ..Fatal Python error: Segmentation fault\n"
    "\n"
    "Current thread 0x1 (most recent call first):\n"
    "  File \"/x/test_a.py\", line 3 in test\n"
    "  File \"/s/_pytest/python.py\", line 4 in pytest_pyfunc_call\n"
    "  File \"/s/pluggy/_callers.py\", line 5 in _multicall\n"
    "\n"
    "Thread 0x2 (most recent call first):\n"
    "  File \"/x/test_a.py\", line 9 in wait\n"
    "  File \"/s/_pytest/python.py\", line 4 in run\n";

const std::string folded =
    "tests ..Fatal Python error: Segmentation fault\n"
    "\n"
    "Current thread 0x1 (most recent call first):\n"
    "  File \"/x/test_a.py\", line 3 in test\n"
    "  … 2 frames of pytest\n"
    "\n"
    "Thread 0x2 (most recent call first):\n"
    "  File \"/x/test_a.py\", line 9 in wait\n"
    "  … 1 frame of pytest\n";

std::string with_carriage_returns(const std::string& text) {
  std::string result;
  for (const char letter : text) result.append(letter == '\n' ? "\r" : "").append(1, letter);
  return result;
}

std::string in_parts_of(std::size_t size, const std::string& text) {
  CrashFold fold;
  std::string shown;
  for (std::size_t at = 0; at < text.size(); at += size) shown += fold.take(text.substr(at, size));
  return shown + fold.end();
}

TEST(CrashFoldTest, FoldsTheFramesOfPytestHoweverTheBytesCome) {
  for (const std::size_t size : {1, 7, 100, 10'000}) {
    EXPECT_EQ(in_parts_of(size, crash), folded);
    EXPECT_EQ(in_parts_of(size, with_carriage_returns(crash)), with_carriage_returns(folded));
  }
}

TEST(CrashFoldTest, OtherBytesPassAtOnce) {
  CrashFold fold;
  const std::string frame = "  File \"/s/_pytest/python.py\", line 4 in run\n";
  for (const auto& bytes : {std::string("F"), std::string("Fatal Python err"), std::string("\0\xff", 2),
                            std::string("ors\n"), frame}) {
    EXPECT_EQ(fold.take(bytes), bytes);
  }
  EXPECT_EQ(fold.end(), "");
}

TEST(CrashFoldTest, WhatFollowsACrashPassesUnchanged) {
  const std::string frame = "  File \"/s/_pytest/python.py\", line 4 in run\n";
  EXPECT_EQ(in_parts_of(5, crash + "\nExtension modules: a, b (total: 2)\nTraceback:\n" + frame + frame),
            folded + "\nExtension modules: a, b (total: 2)\nTraceback:\n" + frame + frame);
}

TEST(CrashFoldTest, AnUnfinishedLineIsShownAtTheEnd) {
  CrashFold fold;
  EXPECT_EQ(fold.take("Fatal Python error: Aborted\n\n  File \"x"), "Fatal Python error: Aborted\n\n");
  EXPECT_EQ(fold.end(), "  File \"x");
  EXPECT_EQ(fold.take("Fatal Python error: Aborted\nname? "), "Fatal Python error: Aborted\nname? ");
  EXPECT_EQ(fold.end(), "");
}

}  // namespace
}  // namespace stest
