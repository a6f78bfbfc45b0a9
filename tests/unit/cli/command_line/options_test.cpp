#include "cli/command_line/options.hpp"

#include <gtest/gtest.h>

#include "cli/command_line/help.hpp"

namespace stest {
namespace {

using Arguments = std::vector<std::string>;

Options parse(const Arguments& args) {
  const auto options = parse_options(args);
  EXPECT_TRUE(options) << options.error().message;
  return options.value_or(Options{});
}

Error parse_error(const Arguments& args) {
  const auto options = parse_options(args);
  EXPECT_FALSE(options);
  return options ? Error{} : options.error();
}

TEST(OptionsTest, EverythingThatIsNoCommandBelongsToPytest) {
  for (const auto& args : {Arguments{}, Arguments{"-x", "-k", "foo"}, Arguments{"tests", "run", "--help"},
                           Arguments{"./run"}, Arguments{"--json"}, Arguments{"--", "status"},
                           Arguments{"-x", "--version"}, Arguments{"-V"}, Arguments{""}}) {
    const auto options = parse(args);
    EXPECT_EQ(options.action, Action::run);
    EXPECT_EQ(options.run.pytest_args, args);
    EXPECT_FALSE(options.run.events);
  }
}

TEST(OptionsTest, HelpAndVersionAreStestsOwnInFrontOnly) {
  for (const auto* flag : {"-h", "--help"}) {
    const auto options = parse({flag});
    EXPECT_EQ(options.action, Action::print);
    EXPECT_NE(options.text.find("stest run -- --help"), std::string::npos);
  }
  EXPECT_EQ(parse({"--version"}).text.rfind("stest ", 0), 0u);
}

TEST(OptionsTest, RunTakesItsOwnOptionsInFrontOfTheDashes) {
  const auto options = parse({"run", "--events", "--stuck-after", "5m", "--", "-x", "--", "--events"});
  EXPECT_EQ(options.action, Action::run);
  EXPECT_TRUE(options.run.events);
  EXPECT_EQ(options.run.stuck_after, "5m");
  EXPECT_EQ(options.run.pytest_args, (Arguments{"-x", "--", "--events"}));
}

TEST(OptionsTest, RunWithoutAnythingRunsEverything) {
  EXPECT_TRUE(parse({"run"}).run.pytest_args.empty());
  EXPECT_TRUE(parse({"run", "--"}).run.pytest_args.empty());
}

TEST(OptionsTest, ArgumentsOfPytestWithoutTheDashesAreAnErrorWithAHint) {
  for (const auto* stray : {"-x", "tests", "status", "--cov=pkg"}) {
    const auto error = parse_error({"run", stray});
    EXPECT_EQ(error.code, ErrorCode::usage);
    EXPECT_NE(error.hint.find("stest run -- " + std::string(stray)), std::string::npos) << error.hint;
  }
}

TEST(OptionsTest, ABadDurationIsAnError) {
  const auto error = parse_error({"run", "--stuck-after", "soon", "--", "-x"});
  EXPECT_EQ(error.code, ErrorCode::usage);
  EXPECT_NE(error.message.find("soon"), std::string::npos);
}

TEST(OptionsTest, ColdHasNoDaemonThatCouldTellEvents) {
  EXPECT_TRUE(parse({"run", "--cold", "--", "-x"}).run.cold);
  EXPECT_EQ(parse({"run", "--cold", "--", "-x"}).run.pytest_args, Arguments{"-x"});
  EXPECT_FALSE(parse({"run", "--", "--cold"}).run.cold);
  EXPECT_EQ(parse_error({"run", "--cold", "--events"}).code, ErrorCode::usage);
  EXPECT_EQ(parse_error({"run", "--stuck-after", "5s", "--cold"}).code, ErrorCode::usage);
}

TEST(OptionsTest, PlainIsForWhatStestItselfShows) {
  EXPECT_TRUE(parse({"run", "--plain", "--", "-x"}).run.plain);
  EXPECT_FALSE(parse({"--plain"}).run.plain);
  EXPECT_EQ(parse_error({"run", "--plain", "--cold"}).code, ErrorCode::usage);
  EXPECT_EQ(parse_error({"run", "--no-wait", "--cold"}).code, ErrorCode::usage);
  EXPECT_EQ(parse_error({"run", "--events", "--plain"}).code, ErrorCode::usage);
}

TEST(OptionsTest, TimingsAreOfAWarmRunThatIsShown) {
  EXPECT_TRUE(parse({"run", "--timings", "--", "-x"}).run.timings);
  EXPECT_FALSE(parse({"--timings"}).run.timings);
  EXPECT_EQ(parse_error({"run", "--timings", "--cold"}).code, ErrorCode::usage);
  EXPECT_EQ(parse_error({"run", "--timings", "--events"}).code, ErrorCode::usage);
}

TEST(OptionsTest, WhatFollowsVerifyBelongsToPytest) {
  EXPECT_EQ(parse({"verify"}).action, Action::verify);
  for (const auto& args : {Arguments{"-x", "tests"}, Arguments{"tests", "--help"}, Arguments{"--events"}}) {
    Arguments line{"verify"};
    line.insert(line.end(), args.begin(), args.end());
    EXPECT_EQ(parse(line).action, Action::verify);
    EXPECT_EQ(parse(line).run.pytest_args, args);
  }
  EXPECT_EQ(parse({"verify", "--", "--help"}).run.pytest_args, Arguments{"--help"});
}

TEST(OptionsTest, TheOtherCommands) {
  EXPECT_EQ(parse({"status"}).action, Action::status);
  EXPECT_TRUE(parse({"status", "--json"}).json);
  EXPECT_EQ(parse({"stop"}).action, Action::stop);
  EXPECT_EQ(parse({"start"}).action, Action::start);
  EXPECT_EQ(parse({"restart"}).action, Action::restart);
  const auto logs = parse({"logs", "-f", "-n", "7"});
  EXPECT_EQ(logs.action, Action::logs);
  EXPECT_TRUE(logs.follow);
  EXPECT_EQ(logs.lines, 7);
}

TEST(OptionsTest, CancelTakesAnIdAndHow) {
  EXPECT_EQ(parse({"cancel"}).action, Action::cancel);
  EXPECT_FALSE(parse({"cancel"}).cancel.id);
  EXPECT_EQ(parse({"cancel"}).cancel.how, CancelHow::interrupt);
  const auto options = parse({"cancel", "12", "--how", "kill"});
  EXPECT_EQ(options.cancel.id, 12u);
  EXPECT_EQ(options.cancel.how, CancelHow::kill);
  for (const auto& args : {Arguments{"cancel", "x"}, Arguments{"cancel", "--how", "gently"},
                           Arguments{"cancel", "1", "2"}, Arguments{"cancel", "-1"}}) {
    EXPECT_EQ(parse_error(args).code, ErrorCode::usage) << args[1];
  }
}

TEST(OptionsTest, EveryCommandRejectsWhatItDoesNotKnow) {
  for (const auto* command : {"status", "stop", "start", "restart", "logs", "cancel"}) {
    const auto error = parse_error({command, "--bogus"});
    EXPECT_EQ(error.code, ErrorCode::usage);
    EXPECT_NE(error.message.find("--bogus"), std::string::npos);
    EXPECT_NE(error.hint.find(std::string(command) + " --help"), std::string::npos);
  }
  EXPECT_EQ(parse_error({"logs", "-n", "many"}).code, ErrorCode::usage);
  EXPECT_EQ(parse_error({"logs", "-n", "-1"}).code, ErrorCode::usage);
}

TEST(OptionsTest, EveryCommandHasAHelp) {
  for (const auto* command : {"run", "verify", "status", "stop", "start", "restart", "logs", "cancel"}) {
    const auto options = parse({command, "--help"});
    EXPECT_EQ(options.action, Action::print);
    EXPECT_NE(options.text.find("Usage: stest " + std::string(command)), std::string::npos) << options.text;
    EXPECT_NE(find_command(command), nullptr);
  }
}

}  // namespace
}  // namespace stest
