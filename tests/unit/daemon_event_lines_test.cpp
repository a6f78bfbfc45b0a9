#include <gtest/gtest.h>

#include "daemon/event_lines.hpp"

namespace stest {
namespace {

std::string line(const std::string& nodeid, const std::string& when) {
  return R"({"event":"test","nodeid":")" + nodeid + R"(","when":")" + when +
         R"(","outcome":"","duration_s":0})" + "\n";
}

TEST(EventLines, JoinsPieces) {
  EventLines lines;
  const auto text = line("t.py::a", "start") + line("t.py::a", "call");
  EXPECT_TRUE(lines.feed(text.substr(0, 10)).empty());
  const auto tests = lines.feed(text.substr(10));
  ASSERT_EQ(tests.size(), 2u);
  EXPECT_EQ(tests[1].when, "call");
}

TEST(EventLines, KnowsTheRunningTest) {
  EventLines lines;
  lines.feed(line("t.py::a", "start"));
  EXPECT_EQ(lines.nodeid(), "t.py::a");
  lines.feed(line("t.py::a", "call"));
  EXPECT_EQ(lines.nodeid(), "t.py::a");
  lines.feed(line("t.py::a", "teardown"));
  EXPECT_EQ(lines.nodeid(), "");
}

TEST(EventLines, KeepsWhatWasImported) {
  EventLines lines;
  EXPECT_TRUE(lines.feed("{\"event\":\"imported\",\"modules\":[\"torch\",\"numpy\"]}\n").empty());
  EXPECT_EQ(lines.imported(), (std::vector<std::string>{"torch", "numpy"}));
}

TEST(EventLines, SkipsWhatIsNoEvent) {
  EventLines lines;
  const auto tests =
      lines.feed("garbage\n[1]\n{}\n{\"event\":\"imported\",\"modules\":3}\n{\"event\":\"done\"}\n" +
                 line("t.py::a", "start"));
  ASSERT_EQ(tests.size(), 1u);
  EXPECT_EQ(tests[0].nodeid, "t.py::a");
}

}  // namespace
}  // namespace stest
