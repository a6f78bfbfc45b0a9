#include "daemon/run/event_lines.hpp"

#include <gtest/gtest.h>

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
  const auto events = lines.feed(text.substr(10));
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(std::get<event::Test>(events[1]).when, "call");
}

TEST(EventLines, KnowsTheRunningTest) {
  EventLines lines;
  lines.feed(line("t.py::a", "start"));
  EXPECT_EQ(lines.running().nodeid(), "t.py::a");
  lines.feed(line("t.py::a", "call"));
  EXPECT_EQ(lines.running().nodeid(), "t.py::a");
  lines.feed(line("t.py::a", "teardown"));
  EXPECT_EQ(lines.running().nodeid(), "");
}

TEST(EventLines, KeepsWhatTheRunTaught) {
  EventLines lines;
  EXPECT_TRUE(lines
                  .feed(R"({"event":"imported","modules":["torch","numpy"],"path":["/src"]})"
                        "\n")
                  .empty());
  EXPECT_EQ(lines.observations().modules, (std::vector<std::string>{"torch", "numpy"}));
  EXPECT_EQ(lines.observations().path, std::vector<std::string>{"/src"});
}

TEST(EventLines, LearnsWhatKeptARunFromWhatWasLoadedAhead) {
  EventLines lines;
  EXPECT_TRUE(lines
                  .feed(R"({"event":"differs","module":"m","variables":{"A":"1","B":null},)"
                        R"("outdated":false,"repeatable":true})"
                        "\n")
                  .empty());
  ASSERT_EQ(lines.observations().differences.size(), 1u);
  const auto& found = lines.observations().differences.front();
  EXPECT_EQ(found.module, "m");
  EXPECT_EQ(found.variables, (OptionalEnvironment{{"A", "1"}, {"B", std::nullopt}}));
  EXPECT_FALSE(found.is_outdated);
  EXPECT_TRUE(found.is_repeatable);
}

TEST(EventLines, KnowsWhenTheRunHasSettled) {
  EventLines lines;
  EXPECT_FALSE(lines.settled());
  EXPECT_TRUE(lines.feed("{\"event\":\"settled\"}\n").empty());
  EXPECT_TRUE(lines.settled());
}

TEST(EventLines, BringsNoticesAndNotesWhatWasReloaded) {
  EventLines lines;
  ASSERT_EQ(lines.feed("{\"event\":\"notice\",\"text\":\"ended\"}\n").size(), 1u);
  const auto events = lines.feed(R"({"event":"notice","text":"reloaded a","reloaded":["a","b"]})"
                                 "\n" +
                                 line("t.py::a", "start"));
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(std::get<event::Notice>(events[0]).text, "reloaded a");
  EXPECT_EQ(std::get<event::Notice>(events[0]).reloaded, (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(std::holds_alternative<event::Test>(events[1]));
}

TEST(EventLines, SkipsWhatNoRunnerSends) {
  EventLines lines;
  for (const char* text :
       {"garbage", "[1]", "{}", R"({"event":"imported","modules":3})",
        R"({"event":"imported","modules":["a"]})", R"({"event":"differs","module":"m"})",
        R"({"event":"done"})", R"({"event":"queued","id":1,"position":1})",
        R"({"event":"started","id":1,"pid":1})", R"({"event":"output","stream":"stdout","data":"x"})",
        R"({"event":"notice"})", R"({"event":"notice","text":"x","reloaded":3})"}) {
    EXPECT_TRUE(lines.feed(std::string(text) + "\n").empty()) << text;
  }
  EXPECT_FALSE(lines.settled());
  const auto events = lines.feed(line("t.py::a", "start"));
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(std::get<event::Test>(events[0]).nodeid, "t.py::a");
}

}  // namespace
}  // namespace stest
