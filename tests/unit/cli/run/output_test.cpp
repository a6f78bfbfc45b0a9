#include "cli/run/output.hpp"

#include <gtest/gtest.h>

#include "common/os/fd.hpp"

namespace stest {
namespace {

using namespace std::chrono_literals;

TEST(QuietTest, TwoTimesQIsVeryQuiet) {
  using Words = std::vector<std::string>;
  for (const auto& args : {Words{"-qq"}, Words{"-q", "x.py", "-q"}, Words{"--quiet", "-q"},
                           Words{"-xq", "-sq"}, Words{"-qqq"}}) {
    EXPECT_TRUE(is_very_quiet(args)) << args[0];
  }
  for (const auto& args :
       {Words{}, Words{"-q"}, Words{"-kqq"}, Words{"-q", "--q"}, Words{"qq"}, Words{"--qq"}, Words{"-"}}) {
    EXPECT_FALSE(is_very_quiet(args));
  }
}

class OutputTest : public ::testing::Test {
 protected:
  std::string errors() {
    err_.write.reset();
    return read_some(err_.read.get(), 1 << 16)->data;
  }

  Pipe out_ = *make_pipe();
  Pipe err_ = *make_pipe();
  Console console_{{out_.write.get(), err_.write.get(), false, false}, {}};
};

TEST_F(OutputTest, BytesGoWhereTheRunWroteThem) {
  Output output(console_, false);
  EXPECT_TRUE(output.show(event::Output{Stream::out, "o\xff"}));
  EXPECT_TRUE(output.show(event::Output{Stream::err, "e"}));
  EXPECT_EQ(read_some(out_.read.get(), 100)->data, "o\xff");
  EXPECT_EQ(errors(), "e");
}

TEST_F(OutputTest, SilenceIsExplained) {
  Output output(console_, false);
  output.show(event::Stuck{30.2, "tests/test_x.py::test_y"});
  output.show(event::Stuck{60, ""});
  EXPECT_EQ(errors(),
            "stest: no output for 30 s; running tests/test_x.py::test_y (the run goes on)\n"
            "stest: no output for 60 s; no test is running (the run goes on)\n");
}

TEST_F(OutputTest, AStackIsShownWhereItHasChanged) {
  Output output(console_, false);
  const std::string stack = "Current thread 0x1 (most recent call first):\n  File \"t.py\", line 3 in test\n";
  output.show(event::Stuck{30, "t.py::test", 31, stack});
  output.show(event::Stuck{60, "t.py::test", 61, stack});
  EXPECT_EQ(
      errors(),
      "stest: no output for 30 s; running t.py::test for 31 s (the run goes on)\n"
      "  Current thread 0x1 (most recent call first):\n"
      "    File \"t.py\", line 3 in test\n"
      "stest: no output for 60 s; running t.py::test for 61 s (the run goes on); its stack is the same as "
      "before\n");
}

TEST_F(OutputTest, NoticesAreLinesUnlessVeryQuiet) {
  Output(console_, true).show(event::Notice{"started the worker"});
  Output(console_, false).show(event::Notice{"restarted the worker"});
  EXPECT_EQ(errors(), "stest: restarted the worker\n");
}

TEST_F(OutputTest, TheEndSpeaksOnlyWherePytestCouldNot) {
  Output output(console_, false);
  output.show(event::Done{1, Outcome::failed, "", "", 1});
  output.show(event::Done{105, Outcome::crashed, "ended by SIGSEGV", "run it again", 1});
  EXPECT_EQ(errors(), "stest: ended by SIGSEGV\nhint: run it again\n");
}

TEST_F(OutputTest, AWaitIsExplainedWithoutAFurtherEvent) {
  Output output(console_, false);
  output.show(event::Queued{1, 1});
  EXPECT_EQ(read_some(err_.read.get(), 100)->data.substr(0, 26), "stest: next in the queue, ");
  output.show(event::Warming{"torch", 0});
  EXPECT_EQ(read_some(err_.read.get(), 100)->data.substr(0, 24), "stest: importing torch, ");
  output.show(event::Started{1, 2});
  EXPECT_EQ(errors(), "");
}

TEST_F(OutputTest, AShortWaitIsNotMentioned) {
  {
    Output output(console_, false);
    output.show(event::Queued{1, 1});
    output.show(event::Warming{"torch", 0});
    output.show(event::Started{1, 2});
  }
  EXPECT_EQ(errors(), "");
}

}  // namespace
}  // namespace stest
