#include "cli/run/python.hpp"

#include <gtest/gtest.h>

namespace stest {
namespace {

TEST(PythonTest, AForkRunsProgramsModulesAndCode) {
  for (const auto& args : std::vector<std::vector<std::string>>{{"x.py", "-X"},
                                                                {"-m", "module", "-i"},
                                                                {"-c", "pass"},
                                                                {"-cpass"},
                                                                {"-u", "-c", "pass"},
                                                                {"-uB", "-Werror", "-W", "ignore", "x.py"}}) {
    EXPECT_TRUE(can_be_forked(args, true)) << args.front();
  }
}

TEST(PythonTest, OtherOptionsAndMistakesArePythons) {
  for (const auto& args : std::vector<std::vector<std::string>>{
           {"-i", "x.py"}, {"-X", "dev", "x.py"}, {"--help"}, {"-V"}, {"-uO", "x.py"}, {"-c"}, {"-W"}}) {
    EXPECT_FALSE(can_be_forked(args, false)) << args.front();
  }
}

TEST(PythonTest, APromptIsPythons) {
  EXPECT_FALSE(can_be_forked({}, true));
  EXPECT_FALSE(can_be_forked({"-u", "-"}, true));
  EXPECT_TRUE(can_be_forked({}, false));
  EXPECT_TRUE(can_be_forked({"-", "x"}, false));
}

}  // namespace
}  // namespace stest
