#include "client/python_facts.hpp"

#include <gtest/gtest.h>

#include "common/os/process.hpp"
#include "common/version.hpp"

namespace stest {
namespace {

PythonFacts facts(std::string tag, std::string pytest) {
  return {"3.1.4", "/v",          std::move(pytest), "ModuleNotFoundError: No module named 'pytest'",
          true,    std::move(tag)};
}

std::string own_tag_expected() {
  std::string digits(python_version());
  std::erase(digits, '.');
  return "cpython-" + digits;
}

TEST(AskPython, Tells) {
  const auto told = ask_python("/usr/bin/python3", current_environment());
  ASSERT_TRUE(told) << told.error().message;
  EXPECT_EQ(told->prefix, "/usr");
  EXPECT_EQ(told->tag.substr(0, 9), "cpython-3");
  EXPECT_FALSE(ask_python("/no/python", {}));
}

TEST(CheckChoice, SaysWhatStestWasBuiltFor) {
  EXPECT_TRUE(check_choice("/p", facts(own_tag_expected(), "8.0")));
  const auto other = check_choice("/p", facts("cpython-31", "8.0"));
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, ErrorCode::config);
  EXPECT_EQ(other.error().message, "/p is Python 3.1.4 (cpython-31), but this stest was built for Python " +
                                       std::string(python_version()));
}

TEST(CheckChoice, SaysThatPytestIsMissing) {
  const auto none = check_choice("/p", facts(own_tag_expected(), ""));
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, ErrorCode::config);
  EXPECT_EQ(none.error().message, "/p cannot import pytest: ModuleNotFoundError: No module named 'pytest'");
}

TEST(CheckChoice, SaysWhatTheProgramSaid) {
  const auto none = check_choice("/p", fail(ErrorCode::worker_failed, "/p ended with exit code 1"));
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().message, "/p ended with exit code 1");
}

}  // namespace
}  // namespace stest
