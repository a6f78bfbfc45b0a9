#include "cli/run/stack_text.hpp"

#include <gtest/gtest.h>

namespace stest {
namespace {

TEST(StackTextTest, CountsTheFramesOfPytestBelowTheTest) {
  EXPECT_EQ(stack_text("Thread 0x2 (most recent call first):\n"
                       "  File \"/x/loop.py\", line 1 in run\n"
                       "  File \"/lib/threading.py\", line 2 in _bootstrap\n"
                       "\n"
                       "Current thread 0x1 (most recent call first):\n"
                       "  File \"/x/test_a.py\", line 3 in test\n"
                       "  File \"/s/_pytest/python.py\", line 4 in pytest_pyfunc_call\n"
                       "  File \"/s/pluggy/_callers.py\", line 5 in _multicall\n"),
            "  Thread 0x2 (most recent call first):\n"
            "    File \"/x/loop.py\", line 1 in run\n"
            "    File \"/lib/threading.py\", line 2 in _bootstrap\n"
            "  Current thread 0x1 (most recent call first):\n"
            "    File \"/x/test_a.py\", line 3 in test\n"
            "    … 2 frames of pytest\n");
}

TEST(StackTextTest, ShowsPytestWhereItIsWhatWaits) {
  EXPECT_EQ(stack_text("Current thread 0x1 (most recent call first):\n"
                       "  File \"/s/_pytest/capture.py\", line 3 in read\n"
                       "  File \"/s/_pytest/main.py\", line 4 in main\n"),
            "  Current thread 0x1 (most recent call first):\n"
            "    File \"/s/_pytest/capture.py\", line 3 in read\n"
            "    File \"/s/_pytest/main.py\", line 4 in main\n");
}

TEST(StackTextTest, OfPytestItselfOnlyTheInnermostFramesAreShown) {
  std::string stack = "Current thread 0x1 (most recent call first):\n";
  for (const char number : {'1', '2', '3', '4', '5'}) {
    stack.append("  File \"/s/_pytest/main.py\", line ").append(1, number).append(" in collect\n");
  }
  EXPECT_EQ(stack_text(stack),
            "  Current thread 0x1 (most recent call first):\n"
            "    File \"/s/_pytest/main.py\", line 1 in collect\n"
            "    File \"/s/_pytest/main.py\", line 2 in collect\n"
            "    File \"/s/_pytest/main.py\", line 3 in collect\n"
            "    … 2 frames of pytest\n");
}

TEST(StackTextTest, CountsTheFramesOfTheImportSystem) {
  EXPECT_EQ(stack_text("Current thread 0x1 (most recent call first):\n"
                       "  File \"/x/slow.py\", line 2 in <module>\n"
                       "  File \"<frozen importlib._bootstrap>\", line 1 in _load\n"
                       "  File \"<frozen importlib._bootstrap_external>\", line 1 in exec_module\n"
                       "  File \"/x/test_a.py\", line 1 in <module>\n"
                       "  File \"/s/_pytest/assertion/rewrite.py\", line 1 in exec_module\n"
                       "  File \"<frozen importlib._bootstrap>\", line 1 in _load\n"
                       "  File \"/lib/importlib/__init__.py\", line 1 in import_module\n"
                       "  File \"/s/_pytest/pathlib.py\", line 1 in import_path\n"),
            "  Current thread 0x1 (most recent call first):\n"
            "    File \"/x/slow.py\", line 2 in <module>\n"
            "    … 2 frames of the import system\n"
            "    File \"/x/test_a.py\", line 1 in <module>\n"
            "    … 4 frames of pytest\n");
}

TEST(StackTextTest, TakesAnything) {
  EXPECT_EQ(stack_text(""), "");
  EXPECT_EQ(stack_text("\n\n"), "");
  EXPECT_EQ(stack_text("  File \"a\""), "    File \"a\"\n");
  EXPECT_EQ(stack_text("<no Python frame>\nx"), "  <no Python frame>\n  x\n");
}

}  // namespace
}  // namespace stest
