#include "cli/terminal/console.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "common/os/fd.hpp"

namespace stest {
namespace {

class ConsoleTest : public ::testing::Test {
 protected:
  Console make(bool terminal, bool colour = false, bool plain = false) {
    return Console({out_.write.get(), err_.write.get(), terminal, terminal}, {plain, colour, terminal});
  }

  /// What has been written, all at once.
  static std::string take(Pipe& pipe) {
    pipe.write.reset();
    return read_some(pipe.read.get(), 1 << 16)->data;
  }

  Pipe out_ = *make_pipe();
  Pipe err_ = *make_pipe();
};

TEST_F(ConsoleTest, BytesPassUntouched) {
  auto console = make(false);
  const std::string bytes("a\0\xff\r", 4);
  EXPECT_TRUE(console.write(Stream::out, bytes));
  EXPECT_TRUE(console.write(Stream::err, "b"));
  EXPECT_EQ(take(out_), bytes);
  EXPECT_EQ(take(err_), "b");
}

TEST_F(ConsoleTest, PlainTextIsOnlyText) {
  {
    auto console = make(false, false, true);
    EXPECT_TRUE(console.write(Stream::out, "\x1b[3"));
    EXPECT_TRUE(console.write(Stream::err, "1\r2"));
    EXPECT_TRUE(console.write(Stream::out, "1mred\x1b]never ended"));
  }
  EXPECT_EQ(take(out_), "rednever ended");
  EXPECT_EQ(take(err_), "1\n2");
}

TEST_F(ConsoleTest, WhatPlainTextHoldsBackComesAtTheEndOfTheOutput) {
  auto console = make(false, false, true);
  console.write(Stream::err, "1\r2");
  console.end_output();
  console.say("over");
  EXPECT_EQ(take(err_), "1\n2\nstest: over\n");
}

TEST_F(ConsoleTest, OwnLinesGoToStderr) {
  auto console = make(false);
  console.say("hello");
  console.say(Error{ErrorCode::usage, "bad", "do better"});
  console.say(Error{ErrorCode::usage, "no hint", ""});
  EXPECT_EQ(take(err_), "stest: hello\nstest: bad\nhint: do better\nstest: no hint\n");
  EXPECT_EQ(take(out_), "");
}

TEST_F(ConsoleTest, OnATerminalAnOwnLineBeginsALine) {
  auto console = make(true);
  console.write(Stream::out, "....");
  console.say("no output");
  console.say("still none");
  EXPECT_EQ(take(err_), "\nstest: no output\nstest: still none\n");
}

TEST_F(ConsoleTest, InOneFileAnOwnLineBeginsALine) {
  Console console({out_.write.get(), out_.write.get(), false, false}, {});
  console.write(Stream::out, "....");
  console.say(Error{ErrorCode::usage, "bad", "do better"});
  console.write(Stream::err, "half");
  console.say("over");
  EXPECT_EQ(take(out_), "....\nstest: bad\nhint: do better\nhalf\nstest: over\n");
}

TEST_F(ConsoleTest, OnStderrAloneOnlyItsOwnLinesCount) {
  auto console = make(false);
  console.write(Stream::out, "....");
  console.say("no output");
  console.write(Stream::err, "half");
  console.say("over");
  EXPECT_EQ(take(err_), "stest: no output\nhalf\nstest: over\n");
}

TEST_F(ConsoleTest, ABriefLineGoesAwayWithTheNext) {
  auto console = make(true);
  console.show_briefly("importing torch");
  console.show_briefly("importing numpy");
  console.write(Stream::out, "x\n");
  console.write(Stream::out, "y\n");
  EXPECT_EQ(take(err_), "\r\x1b[Kstest: importing torch\r\x1b[Kstest: importing numpy\r\x1b[K");
}

TEST_F(ConsoleTest, ABriefLineNeverWipesOutAHalfLineOfTheRun) {
  auto console = make(true);
  console.write(Stream::out, "....");
  console.show_briefly("importing torch");
  EXPECT_EQ(take(err_), "");
}

TEST_F(ConsoleTest, ABriefLineFitsIntoOneRow) {
  auto console = make(true);  // A pipe in truth, for which 80 columns are assumed.
  console.show_briefly("ü\n\x1b[31m" + std::string(200, 'x'));
  console.clear_brief();
  EXPECT_EQ(take(err_), "\r\x1b[Kstest: ü " + std::string(69, 'x') + "…\r\x1b[K");
}

TEST_F(ConsoleTest, OwnLinesBringNoEscapesFromElsewhere) {
  auto console = make(false);
  console.say(Error{ErrorCode::usage, "bad \x1b[31mname", "a\x1b]0;x\x07\nb"});
  EXPECT_EQ(take(err_), "stest: bad name\nhint: a\nb\n");
}

TEST_F(ConsoleTest, WithoutATerminalThereAreNoBriefLines) {
  auto console = make(false);
  console.show_briefly("importing torch");
  console.clear_brief();
  EXPECT_EQ(take(err_), "");
}

TEST_F(ConsoleTest, ColourIsOnlyInThePrefix) {
  auto console = make(true, true);
  console.say("hello");
  EXPECT_EQ(take(err_), "\x1b[36mstest:\x1b[0m hello\n");
}

TEST_F(ConsoleTest, AReaderThatHasLeftIsReportedInSilence) {
  ::signal(SIGPIPE, SIG_IGN);
  auto console = make(false);
  out_.read.reset();
  EXPECT_FALSE(console.write(Stream::out, "x"));
  EXPECT_EQ(take(err_), "");
}

TEST_F(ConsoleTest, AFullDiskIsReportedWithAWord) {
  const Fd full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  Console console({full.get(), err_.write.get(), false, false}, {});
  EXPECT_FALSE(console.write(Stream::out, "x"));
  EXPECT_TRUE(console.is_incomplete());
  EXPECT_EQ(
      take(err_),
      "stest: the output is incomplete: cannot write /dev/full: No space left on device\n"
      "hint: Free disk space, or choose another folder: SPRINTEST_DIR for the daemon's files, TMPDIR for "
      "temporary ones.\n");
}

}  // namespace
}  // namespace stest
