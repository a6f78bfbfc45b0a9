#include "client/program.hpp"

#include <gtest/gtest.h>

#include "unit/shell.hpp"

namespace stest {
namespace {

using namespace std::chrono_literals;

TEST(RunProgram, TellsHowItEndedAndWhatItWrote) {
  const auto end = run_program(shell("echo out; echo err >&2; exit 3"), 30s).value();
  EXPECT_EQ(end.status.code, 3);
  EXPECT_EQ(end.out, "out\n");
  EXPECT_EQ(end.err, "err\n");
  EXPECT_FALSE(end.is_late);
}

TEST(RunProgram, ReadsMoreThanAPipeHolds) {
  EXPECT_EQ(run_program(shell("head -c 1000000 /dev/zero"), 30s)->out.size(), 1'000'000u);
}

TEST(RunProgram, EndsWhatTakesTooLongWithAllItsChildren) {
  const auto end = run_program(shell("echo early; sleep 1000 & sleep 1000"), 500ms).value();
  EXPECT_TRUE(end.is_late);
  EXPECT_EQ(end.out, "early\n");
  EXPECT_EQ(end.status.signal, 9);
}

TEST(RunProgram, EndsWhatClosesItsStreamsAndGoesOn) {
  const auto end = run_program(shell("exec >&- 2>&-; exec sleep 1000"), 500ms).value();
  EXPECT_TRUE(end.is_late);
  EXPECT_EQ(end.status.signal, 9);
}

TEST(RunProgram, OneThatIsMissingIsAnError) {
  SpawnOptions options;
  options.executable = "/no/such/program";
  EXPECT_FALSE(run_program(options, 30s));
}

}  // namespace
}  // namespace stest
