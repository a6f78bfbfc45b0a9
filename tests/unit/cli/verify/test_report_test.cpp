#include "cli/verify/test_report.hpp"

#include <gtest/gtest.h>

#include "unit/temporary_folder.hpp"

namespace stest {
namespace {

using Lines = std::vector<std::string>;

TestReport read(std::string_view lines) {
  const TemporaryFolder folder;
  const auto report = read_report(folder.write("report", lines));
  EXPECT_TRUE(report && *report) << (report ? "" : report.error().message);
  return report && *report ? **report : TestReport{};
}

constexpr auto passes = R"({"event":"start","nodeid":"t.py::a"}
{"event":"test","nodeid":"t.py::a","when":"setup","outcome":"passed"}
{"event":"test","nodeid":"t.py::a","when":"call","outcome":"passed"}
{"event":"test","nodeid":"t.py::a","when":"teardown","outcome":"passed"}
)";

TestReport with(TestReport::Reports reports) {
  TestReport report;
  report.tests["a"] = std::move(reports);
  return report;
}

const TestReport passed = with({"setup passed", "call passed", "teardown passed"});
const TestReport failed = with({"setup passed", "call failed", "teardown passed"});

TEST(TestReportTest, EveryKindOfLineIsRead) {
  const auto report = read(std::string(passes) + R"({"event":"selected"}
{"event":"session"}
{"event":"collect","nodeid":"u.py","outcome":"failed"}
{"event":"deselected","nodeids":["t.py::b","t.py::c"]}
{"event":"warning","nodeid":"t.py::a","category":"UserWarning","text":"x"}
{"event":"warning","nodeid":"t.py::a","category":"UserWarning","text":"x"}
{"event":"imported","module":"numpy","seconds":0.5}
{"event":"finished"}
)");
  EXPECT_EQ(report.tests.at("t.py::a"), (Lines{"setup passed", "call passed", "teardown passed"}));
  EXPECT_EQ(report.collection.at("u.py"), "failed");
  EXPECT_EQ(report.deselected, (std::set<std::string>{"t.py::b", "t.py::c"}));
  EXPECT_EQ(report.warnings.at({"t.py::a", "UserWarning", "x"}), 2);
  EXPECT_EQ(report.imports.at("numpy"), 0.5);
  EXPECT_TRUE(report.session_began && report.session_finished);
  EXPECT_FALSE(report.is_whole);
}

TEST(TestReportTest, AMissingFileIsNoReportAndABadOneAnError) {
  const TemporaryFolder folder;
  const auto missing = read_report(folder.path() / "missing");
  ASSERT_TRUE(missing);
  EXPECT_FALSE(*missing);
  EXPECT_FALSE(read_report(folder.write("bad", "nonsense\n")));
}

TEST(TestReportTest, ALineThatTheProcessDidNotFinishIsLeftOut) {
  EXPECT_EQ(read(std::string(passes) + R"({"event":"test","no)").tests.size(), 1u);
}

TEST(TestReportTest, AddressesInNodeIdsAreMadeEqual) {
  const auto warm = read(R"({"event":"start","nodeid":"t.py::a[<f at 0x7f01>-0xZ]"})"
                         "\n");
  const auto cold = read(R"({"event":"start","nodeid":"t.py::a[<f at 0x55aa9>-0xZ]"})"
                         "\n");
  EXPECT_EQ(differences(warm, cold), Lines{});
  EXPECT_EQ(warm.tests.begin()->first, "t.py::a[<f at 0x…>-0xZ]");
}

TEST(TestReportTest, EqualReportsHaveNoDifferences) {
  EXPECT_EQ(differences(failed, failed), Lines{});
  EXPECT_EQ(differences_in_tests(failed, failed), Lines{});
}

TEST(TestReportTest, DifferencesInTestsNameThePhaseThatTells) {
  EXPECT_EQ(differences(failed, passed), Lines{"a: warm failed, cold passed"});
  EXPECT_EQ(differences(passed, {}), Lines{"a: warm passed, cold did not run"});
  EXPECT_EQ(differences(with({}), passed), Lines{"a: warm did not finish, cold passed"});
  EXPECT_EQ(differences(with({"setup failed", "teardown passed"}), passed),
            Lines{"a: warm setup failed, cold passed"});
  EXPECT_EQ(differences(with({"setup passed", "call passed", "call passed", "teardown passed"}), passed),
            Lines{"a: warm setup passed, call passed, call passed, teardown passed, "
                  "cold setup passed, call passed, teardown passed"});
}

TEST(TestReportTest, OtherDifferencesAreNamedAsWell) {
  TestReport warm = passed, cold = passed;
  warm.ending = "exit code 0";
  cold.ending = "exit code 2";
  cold.collection["u.py"] = "failed";
  warm.deselected = {"b"};
  cold.deselected = {"c"};
  warm.warnings[{"", "UserWarning", "old"}] = 1;
  cold.warnings[{"a", "UserWarning", "new"}] = 2;
  EXPECT_EQ(differences(warm, cold),
            (Lines{"pytest: warm exit code 0, cold exit code 2",
                   "collection of u.py: warm passed, cold failed", "b: deselected warm only",
                   "c: deselected cold only", "UserWarning: old: warm 1 time, cold 0 times",
                   "UserWarning of a: new: warm 0 times, cold 2 times"}));
}

TEST(TestReportTest, EventsKnowNoExpectations) {
  const auto warm = report_of({{"a", "start", "", 0},
                               {"a", "setup", "passed", 0},
                               {"a", "call", "skipped", 0},
                               {"a", "teardown", "passed", 0}});
  const auto cold = with({"setup passed", "call xfailed", "teardown passed"});
  EXPECT_EQ(differences_in_tests(warm, cold), Lines{});
  EXPECT_EQ(differences(warm, cold), Lines{"a: warm skipped, cold xfailed"});
}

TEST(TestReportTest, FailedIsWhatFailedOrDidNotFinish) {
  EXPECT_FALSE(has_failed(passed.tests.at("a")));
  EXPECT_TRUE(has_failed(failed.tests.at("a")));
  EXPECT_TRUE(has_failed({"setup passed"}));
  EXPECT_TRUE(has_failed({}));
}

TEST(TestReportTest, AnEndInTheMiddleOfASessionIsADeathWhateverTheExitCode) {
  TestReport begun;
  begun.session_began = true;
  TestReport finished = begun;
  finished.session_finished = true;
  const auto death = ending_of(event::Done{105, Outcome::crashed, "", "", 0});
  EXPECT_EQ(ending_of(ExitStatus{0, {}}, begun), death);
  EXPECT_EQ(ending_of(ExitStatus{{}, 11}, finished), death);
  EXPECT_EQ(ending_of(ExitStatus{1, {}}, finished), ending_of(event::Done{1, Outcome::failed, "", "", 0}));
  EXPECT_EQ(ending_of(ExitStatus{4, {}}, {}), "exit code 4");
}

TEST(TestReportTest, TheSummaryCountsAsPytestDoes) {
  TestReport report;
  EXPECT_EQ(summary(report), "no tests");
  report.tests = {{"a", {"setup passed", "call passed", "teardown passed"}},
                  {"b", {"setup passed", "call failed", "teardown passed"}},
                  {"c", {"setup failed", "teardown passed"}},
                  {"d", {"setup skipped", "teardown passed"}},
                  {"e", {"setup passed", "call xfailed", "teardown passed"}},
                  {"f", {"setup passed"}}};
  report.collection = {{"u.py", "failed"}};
  EXPECT_EQ(summary(report), "1 passed, 1 failed, 2 errors, 1 skipped, 1 unfinished, 1 xfailed");
}

}  // namespace
}  // namespace stest
