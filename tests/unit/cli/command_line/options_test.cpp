#include "cli/command_line/options.hpp"

#include <gtest/gtest.h>

#include <filesystem>

#include "cli/command_line/help.hpp"
#include "unit/temporary_folder.hpp"

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

TEST(OptionsTest, RayIsAPluginOfPytest) {
  const Arguments local{"-p", "sprintest.ray", "--ray-address", "auto", "tests"};
  EXPECT_EQ(parse({"run", "--ray", "tests"}).run.pytest_args, local);
  EXPECT_EQ(parse({"run", "--ray", "--", "tests"}).run.pytest_args, local);
  EXPECT_EQ(parse({"run", "--ray=host:6379", "--plain"}).run.pytest_args,
            (Arguments{"-p", "sprintest.ray", "--ray-address", "host:6379"}));
}

TEST(OptionsTest, RunWithoutAnythingRunsEverything) {
  EXPECT_TRUE(parse({"run"}).run.pytest_args.empty());
  EXPECT_TRUE(parse({"run", "--"}).run.pytest_args.empty());
}

TEST(OptionsTest, WhatIsNoOptionOfRunGoesToPytestWithAllThatFollows) {
  for (const auto& rest : {Arguments{"tests", "-q"}, Arguments{"-q"}, Arguments{"--tb=short", "tests"},
                           Arguments{"tests", "--timings"}, Arguments{"status"}, Arguments{"-k", "a or b"},
                           Arguments{"tests", "--", "-q"}, Arguments{"-"}, Arguments{""}, Arguments{"--co"},
                           Arguments{"--color=yes"}, Arguments{"--cov=pkg"}, Arguments{"--timeout=5"},
                           Arguments{"-hx"}, Arguments{"tests", "--help"}}) {
    Arguments line{"run", "--timings", "--stuck-after", "5m"};
    line.insert(line.end(), rest.begin(), rest.end());
    const auto options = parse(line);
    EXPECT_TRUE(options.run.timings);
    EXPECT_EQ(options.run.stuck_after, "5m");
    EXPECT_EQ(options.run.pytest_args, rest);
    EXPECT_EQ(options.action, Action::run);
  }
  EXPECT_EQ(parse({"run", "--stuck-after=5m", "tests"}).run.pytest_args, Arguments{"tests"});
  EXPECT_EQ(parse({"run", "--timings", "--timings"}).run.pytest_args, Arguments{});
}

TEST(OptionsTest, AMisspeltOptionOfRunIsAnError) {
  const auto error = parse_error({"run", "--cold", "--timing", "a b"});
  EXPECT_EQ(error.code, ErrorCode::usage);
  EXPECT_EQ(error.message, "unknown argument '--timing' of stest run; did you mean `--timings`?");
  EXPECT_EQ(error.hint, "if pytest has this option: stest run --cold -- --timing 'a b'");
  EXPECT_EQ(parse_error({"run", "--event"}).code, ErrorCode::usage);
  EXPECT_EQ(parse_error({"run", "--stuck_after=5m"}).code, ErrorCode::usage);
  EXPECT_EQ(parse({"run", "tests", "--timing"}).run.pytest_args, (Arguments{"tests", "--timing"}));
  EXPECT_EQ(parse({"run", "--", "--timing"}).run.pytest_args, Arguments{"--timing"});
}

TEST(OptionsTest, NoOptionOfPytestOrACommonPluginIsTakenForOneOfStest) {
  for (const auto* option : {"--co",
                             "--collect-only",
                             "--color=no",
                             "--code-highlight=no",
                             "--cov",
                             "--cov-report",
                             "--no-cov",
                             "--count=3",
                             "--durations=5",
                             "--ds=x",
                             "--dc=x",
                             "--create-db",
                             "--reuse-db",
                             "--no-migrations",
                             "--nomigrations",
                             "--ff",
                             "--lf",
                             "--lfnf=all",
                             "--ignore=x",
                             "--import-mode=importlib",
                             "--capture=no",
                             "--maxfail=1",
                             "--markers",
                             "--no-header",
                             "--no-summary",
                             "--pdb",
                             "--pyargs",
                             "--pastebin=all",
                             "--quiet",
                             "--rootdir=x",
                             "--setup-plan",
                             "--setup-only",
                             "--stepwise",
                             "--strict-markers",
                             "--tb=no",
                             "--timeout=5",
                             "--trace",
                             "--verbose",
                             "--verbosity=2",
                             "--dist=load",
                             "--numprocesses=2",
                             "--reruns=2",
                             "--only-rerun=x",
                             "--benchmark-only",
                             "--snapshot-update",
                             "--asyncio-mode=auto",
                             "--hypothesis-seed=0",
                             "--html=x",
                             "--json-report",
                             "--headed",
                             "--browser=x",
                             "--slow",
                             "--runslow",
                             "--randomly-seed=1",
                             "--random-order",
                             "--testmon",
                             "--mypy",
                             "--ruff",
                             "--picked",
                             "--split",
                             "--splits=2",
                             "--profile",
                             "--memray",
                             "--envfile=x",
                             "--alluredir=x",
                             "--template=x"}) {
    EXPECT_EQ(parse({option}).run.pytest_args, Arguments{option});
    EXPECT_EQ(parse({"run", option}).run.pytest_args, Arguments{option});
  }
}

TEST(OptionsTest, AnOptionOfRunWithoutRunIsAnErrorWithTheWholeLine) {
  const auto error = parse_error({"--stuck-after", "5m", "tests", "it's"});
  EXPECT_EQ(error.code, ErrorCode::usage);
  EXPECT_EQ(error.message, "`--stuck-after` is an option of `stest run`");
  EXPECT_EQ(error.hint,
            "stest run --stuck-after 5m -- tests 'it'\\''s'\n"
            "if pytest has this option: stest run -- --stuck-after 5m tests 'it'\\''s'");
  EXPECT_EQ(parse_error({"--cold", "--", "-q"}).hint.rfind("stest run --cold -- -q\n", 0), 0u);
  for (const auto* option : {"--events", "--no-wait", "--plain", "--timings", "--cold", "--stuck-after=1m"}) {
    EXPECT_EQ(parse_error({option}).hint.rfind("stest run " + std::string(option) + "\n", 0), 0u);
    EXPECT_EQ(parse({"-q", option}).run.pytest_args, (Arguments{"-q", option}));
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
  EXPECT_EQ(parse_error({"run", "--plain", "--cold"}).code, ErrorCode::usage);
  EXPECT_EQ(parse_error({"run", "--no-wait", "--cold"}).code, ErrorCode::usage);
  EXPECT_EQ(parse_error({"run", "--events", "--plain"}).code, ErrorCode::usage);
}

TEST(OptionsTest, TimingsAreOfAWarmRunThatIsShown) {
  EXPECT_TRUE(parse({"run", "--timings", "--", "-x"}).run.timings);
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
  EXPECT_EQ(parse({"ps"}).action, Action::ps);
  EXPECT_TRUE(parse({"ps", "--json"}).json);
  EXPECT_EQ(parse({"stop"}).action, Action::stop);
  EXPECT_FALSE(parse({"stop"}).all);
  EXPECT_TRUE(parse({"stop", "--all"}).all);
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
  for (const auto* command : {"status", "ps", "stop", "start", "restart", "logs", "cancel"}) {
    const auto error = parse_error({command, "--bogus"});
    EXPECT_EQ(error.code, ErrorCode::usage);
    EXPECT_NE(error.message.find("--bogus"), std::string::npos);
    EXPECT_NE(error.hint.find(std::string(command) + " --help"), std::string::npos);
  }
  EXPECT_EQ(parse_error({"logs", "-n", "many"}).code, ErrorCode::usage);
  EXPECT_EQ(parse_error({"logs", "-n", "-1"}).code, ErrorCode::usage);
}

TEST(OptionsTest, EveryCommandHasAHelp) {
  for (const auto& command : command_table()) {
    const std::string name(command.name);
    if (command.action == Action::python) continue;  // Its --help is Python's.
    const auto options = parse({name, "--help"});
    EXPECT_EQ(options.action, Action::print);
    EXPECT_NE(options.text.find("Usage: stest " + name), std::string::npos) << options.text;
    EXPECT_EQ(parse({"help", name}).text, options.text);
  }
}

TEST(OptionsTest, EveryArgumentOfPythonIsPythons) {
  const auto options = parse({"python", "--help", "-c", "pass", "--"});
  EXPECT_EQ(options.action, Action::python);
  EXPECT_EQ(options.python_args, (std::vector<std::string>{"--help", "-c", "pass", "--"}));
  EXPECT_NE(parse({"help", "python"}).text.find("Usage: stest python"), std::string::npos);
}

TEST(OptionsTest, HelpAndVersionAreCommandsToo) {
  EXPECT_EQ(parse({"help"}).text, parse({"--help"}).text);
  EXPECT_EQ(parse({"version"}).text, parse({"--version"}).text);
  const auto error = parse_error({"help", "statsu"});
  EXPECT_EQ(error.message, "stest has no command 'statsu'; did you mean `stest help status`?");
  EXPECT_EQ(parse_error({"help", "tests"}).message, "stest has no command 'tests'");
  EXPECT_EQ(parse({"man"}).text.rfind(".TH", 0), 0u);
  EXPECT_NE(parse({"completions", "fish"}).text.find("complete -c stest"), std::string::npos);
  EXPECT_EQ(parse({"__nodeids", "--help"}).action, Action::node_ids);
  EXPECT_EQ(parse({"__nodeids", "--help"}).text, "--help");
}

TEST(OptionsTest, ErrorsSpeakToPeople) {
  const std::vector<std::pair<Arguments, std::string>> errors{
      {{"cancel", "0"}, "'0' is not the number of a run"},
      {{"cancel", "x"}, "'x' is not the number of a run"},
      {{"cancel", "-1"}, "'-1' is not the number of a run"},
      {{"cancel", "99999999999999999999999"}, "'99999999999999999999999' is not the number of a run"},
      {{"cancel", "--how"}, "--how needs a value"},
      {{"cancel", "--how", "gently"}, "'gently' is not one of interrupt, terminate, kill"},
      {{"logs", "-n"}, "--lines needs a value"},
      {{"logs", "-n", "many"}, "'many' is not a number of lines from 0 to 1000000"},
      {{"logs", "-n", "1000001"}, "'1000001' is not a number of lines from 0 to 1000000"},
      {{"run", "--stuck-after"}, "--stuck-after needs a value"},
      {{"run", "--stuck-after", "--", "x"}, "--stuck-after needs a value"},
      {{"run", "--stuck-after", "-q"}, "--stuck-after: not a duration such as 30s, 5m or 2h: -q"},
      {{"run", "--events=no way"}, "--events takes no value"},
      {{"run", "--cold", "--events"}, "--events excludes --cold"},
      {{"status", "--jsn"}, "unknown argument '--jsn' of stest status; did you mean `--json`?"},
      {{"completions"}, "SHELL is required"},
      {{"completions", "tcsh"}, "'tcsh' is not one of bash, zsh, fish"},
      {{"man", "run"}, "unknown argument 'run' of stest man"},
  };
  for (const auto& [args, message] : errors) {
    EXPECT_EQ(parse_error(args).code, ErrorCode::usage);
    EXPECT_EQ(parse_error(args).message, message);
  }
}

TEST(OptionsTest, NumbersAreDecimalAndTheLastOneCounts) {
  EXPECT_EQ(parse({"cancel", "010"}).cancel.id, 10u);
  EXPECT_EQ(parse({"cancel", "18446744073709551615"}).cancel.id, UINT64_MAX);
  EXPECT_EQ(parse({"logs", "-n", "010"}).lines, 10);
  EXPECT_EQ(parse({"logs", "-n5", "--lines=6"}).lines, 6);
}

/// In an empty folder of its own.
class OptionsInAFolderTest : public ::testing::Test {
 protected:
  OptionsInAFolderTest() { std::filesystem::current_path(folder_.path()); }
  ~OptionsInAFolderTest() override {
    std::filesystem::current_path(before_);
    ::unsetenv("PYTEST_ADDOPTS");
  }

  static bool is_for_pytest(const Arguments& args) { return parse(args).run.pytest_args == args; }

  std::filesystem::path before_ = std::filesystem::current_path();
  TemporaryFolder folder_;
};

TEST_F(OptionsInAFolderTest, AMisspeltCommandIsAnError) {
  const auto error = parse_error({"statsu", "-k", "a b"});
  EXPECT_EQ(error.code, ErrorCode::usage);
  EXPECT_EQ(error.message, "stest has no command 'statsu'; did you mean `stest status`?");
  EXPECT_EQ(error.hint, "if this is an argument for pytest: stest run -- statsu -k 'a b'");
  for (const auto* word : {"stauts", "docter", "verfy", "cancle", "rn", "log", "Status"}) {
    EXPECT_EQ(parse_error({word}).code, ErrorCode::usage) << word;
  }
}

TEST_F(OptionsInAFolderTest, WhatPytestCouldMeanIsNoMisspeltCommand) {
  for (const auto* word :
       {"statsu/", "statsu.py", "statsu::test", "./statsu", "-statsu", "@run", "tests", "statsu[0]"}) {
    EXPECT_TRUE(is_for_pytest({word})) << word;
  }
  EXPECT_TRUE(is_for_pytest({"-x", "statsu"}));
  EXPECT_TRUE(is_for_pytest({"statsu", "--pyargs"}));
  EXPECT_EQ(parse({"run", "--", "statsu"}).run.pytest_args, Arguments{"statsu"});
  ::setenv("PYTEST_ADDOPTS", "-q --pyargs", 1);
  EXPECT_TRUE(is_for_pytest({"statsu"}));
  ::unsetenv("PYTEST_ADDOPTS");
  folder_.write("statsu/test_it.py", "");
  EXPECT_TRUE(is_for_pytest({"statsu"}));
  folder_.write("pytest.ini", "[pytest]\naddopts = --pyargs\n");
  EXPECT_TRUE(is_for_pytest({"docter"}));
}

TEST_F(OptionsInAFolderTest, ACommandWinsOverAFileAndSaysSo) {
  EXPECT_EQ(parse({"status"}).notice, "");
  folder_.write("status/test_it.py", "");
  folder_.write("run", "");
  EXPECT_EQ(parse({"status", "--json"}).notice,
            "`status` is a command of stest; to run the tests in the folder of that name: stest ./status");
  EXPECT_EQ(parse({"run"}).notice,
            "`run` is a command of stest; to run the tests in the file of that name: stest ./run");
  EXPECT_EQ(parse({"./status"}).notice, "");
}

}  // namespace
}  // namespace stest
