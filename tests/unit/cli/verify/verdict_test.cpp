#include "cli/verify/verdict.hpp"

#include <gtest/gtest.h>

#include "unit/temporary_folder.hpp"

namespace stest {
namespace {

using Lines = std::vector<std::string>;

Verdict read(std::string_view lines) {
  const TemporaryFolder folder;
  const auto verdict = read_verdict(folder.write("verdict", lines));
  EXPECT_TRUE(verdict && *verdict) << (verdict ? "" : verdict.error().message);
  return verdict && *verdict ? **verdict : Verdict{};
}

constexpr auto passes = R"({"event":"start","nodeid":"t.py::a"}
{"event":"test","nodeid":"t.py::a","when":"setup","outcome":"passed"}
{"event":"test","nodeid":"t.py::a","when":"call","outcome":"passed"}
{"event":"test","nodeid":"t.py::a","when":"teardown","outcome":"passed"}
)";

Verdict with(Verdict::Reports reports) {
  Verdict verdict;
  verdict.tests["a"] = std::move(reports);
  return verdict;
}

const Verdict passed = with({"setup passed", "call passed", "teardown passed"});
const Verdict failed = with({"setup passed", "call failed", "teardown passed"});

TEST(VerdictTest, EveryKindOfLineIsRead) {
  const auto verdict = read(std::string(passes) + R"({"event":"selected"}
{"event":"session"}
{"event":"collect","nodeid":"u.py","outcome":"failed"}
{"event":"deselected","nodeids":["t.py::b","t.py::c"]}
{"event":"warning","nodeid":"t.py::a","category":"UserWarning","text":"x"}
{"event":"warning","nodeid":"t.py::a","category":"UserWarning","text":"x"}
{"event":"finished"}
)");
  EXPECT_EQ(verdict.tests.at("t.py::a"), (Lines{"setup passed", "call passed", "teardown passed"}));
  EXPECT_EQ(verdict.collection.at("u.py"), "failed");
  EXPECT_EQ(verdict.deselected, (std::set<std::string>{"t.py::b", "t.py::c"}));
  EXPECT_EQ(verdict.warnings.at({"t.py::a", "UserWarning", "x"}), 2);
  EXPECT_TRUE(verdict.session_began && verdict.session_finished);
  EXPECT_FALSE(verdict.is_whole);
}

TEST(VerdictTest, AMissingFileIsNoVerdictAndABadOneAnError) {
  const TemporaryFolder folder;
  const auto missing = read_verdict(folder.path() / "missing");
  ASSERT_TRUE(missing);
  EXPECT_FALSE(*missing);
  EXPECT_FALSE(read_verdict(folder.write("bad", "nonsense\n")));
}

TEST(VerdictTest, ALineThatTheProcessDidNotFinishIsLeftOut) {
  EXPECT_EQ(read(std::string(passes) + R"({"event":"test","no)").tests.size(), 1u);
}

TEST(VerdictTest, AddressesInNodeIdsAreMadeEqual) {
  const auto warm = read(R"({"event":"start","nodeid":"t.py::a[<f at 0x7f01>-0xZ]"})"
                         "\n");
  const auto cold = read(R"({"event":"start","nodeid":"t.py::a[<f at 0x55aa9>-0xZ]"})"
                         "\n");
  EXPECT_EQ(differences(warm, cold), Lines{});
  EXPECT_EQ(warm.tests.begin()->first, "t.py::a[<f at 0x…>-0xZ]");
}

TEST(VerdictTest, EqualVerdictsHaveNoDifferences) {
  EXPECT_EQ(differences(failed, failed), Lines{});
  EXPECT_EQ(differences_in_tests(failed, failed), Lines{});
}

TEST(VerdictTest, DifferencesInTestsNameThePhaseThatTells) {
  EXPECT_EQ(differences(failed, passed), Lines{"a: warm failed, cold passed"});
  EXPECT_EQ(differences(passed, {}), Lines{"a: warm passed, cold did not run"});
  EXPECT_EQ(differences(with({}), passed), Lines{"a: warm did not finish, cold passed"});
  EXPECT_EQ(differences(with({"setup failed", "teardown passed"}), passed),
            Lines{"a: warm setup failed, cold passed"});
  EXPECT_EQ(differences(with({"setup passed", "call passed", "call passed", "teardown passed"}), passed),
            Lines{"a: warm setup passed, call passed, call passed, teardown passed, "
                  "cold setup passed, call passed, teardown passed"});
}

TEST(VerdictTest, OtherDifferencesAreNamedAsWell) {
  Verdict warm = passed, cold = passed;
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

TEST(VerdictTest, EventsKnowNoExpectations) {
  const auto warm = verdict_of({{"a", "start", "", 0},
                                {"a", "setup", "passed", 0},
                                {"a", "call", "skipped", 0},
                                {"a", "teardown", "passed", 0}});
  const auto cold = with({"setup passed", "call xfailed", "teardown passed"});
  EXPECT_EQ(differences_in_tests(warm, cold), Lines{});
  EXPECT_EQ(differences(warm, cold), Lines{"a: warm skipped, cold xfailed"});
}

TEST(VerdictTest, FailedIsWhatFailedOrDidNotFinish) {
  EXPECT_FALSE(has_failed(passed.tests.at("a")));
  EXPECT_TRUE(has_failed(failed.tests.at("a")));
  EXPECT_TRUE(has_failed({"setup passed"}));
  EXPECT_TRUE(has_failed({}));
}

TEST(VerdictTest, AnEndInTheMiddleOfASessionIsADeathWhateverTheExitCode) {
  Verdict begun;
  begun.session_began = true;
  Verdict finished = begun;
  finished.session_finished = true;
  const auto death = ending_of(event::Done{105, Outcome::crashed, "", "", 0});
  EXPECT_EQ(ending_of(ExitStatus{0, {}}, begun), death);
  EXPECT_EQ(ending_of(ExitStatus{{}, 11}, finished), death);
  EXPECT_EQ(ending_of(ExitStatus{1, {}}, finished), ending_of(event::Done{1, Outcome::failed, "", "", 0}));
  EXPECT_EQ(ending_of(ExitStatus{4, {}}, {}), "exit code 4");
}

TEST(VerdictTest, TheSummaryCountsAsPytestDoes) {
  Verdict verdict;
  EXPECT_EQ(summary(verdict), "no tests");
  verdict.tests = {{"a", {"setup passed", "call passed", "teardown passed"}},
                   {"b", {"setup passed", "call failed", "teardown passed"}},
                   {"c", {"setup failed", "teardown passed"}},
                   {"d", {"setup skipped", "teardown passed"}},
                   {"e", {"setup passed", "call xfailed", "teardown passed"}},
                   {"f", {"setup passed"}}};
  verdict.collection = {{"u.py", "failed"}};
  EXPECT_EQ(summary(verdict), "1 passed, 1 failed, 2 errors, 1 skipped, 1 unfinished, 1 xfailed");
}

}  // namespace
}  // namespace stest
