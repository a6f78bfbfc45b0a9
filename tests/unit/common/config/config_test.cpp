#include "stest/config.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <set>

#include "unit/temporary_folder.hpp"

namespace stest {
namespace {

using namespace std::chrono_literals;

constexpr const char* kKeys =
    "Accepted keys: ignore, preload, isolation, reload, target, target_path, stuck_after, "
    "hang_timeout, idle_timeout, worker_timeout, concurrency, memory_limit, prime, "
    "wait_for_worker, verify_failures, gpus.";

class ConfigTest : public testing::Test {
 protected:
  /// The configuration of a project whose file has `text`.
  Config load(const std::string& text, const Environment& env = {}) const {
    folder_.write("pyproject.toml", text);
    const Result<Config> config = load_config(folder_.path(), env);
    EXPECT_TRUE(config) << config.error().message;
    return config.value_or(Config());
  }

  Error error_of(const std::string& text, const Environment& env = {}) const {
    folder_.write("pyproject.toml", text);
    const Result<Config> config = load_config(folder_.path(), env);
    if (config) {
      ADD_FAILURE() << "accepted:\n" << text;
      return {};
    }
    EXPECT_EQ(config.error().code, ErrorCode::config);
    return config.error();
  }

  Error error_of_key(const std::string& line) const { return error_of("[tool.sprintest]\n" + line + "\n"); }

  Error error_of_variable(const std::string& name, const std::string& value) const {
    return error_of("", {{name, value}});
  }

  TemporaryFolder folder_;
};

void expect_defaults(const Config& config) {
  EXPECT_TRUE(config.ignore.empty());
  EXPECT_TRUE(config.preload.empty());
  EXPECT_EQ(config.isolation, "fork");
  EXPECT_EQ(config.target, std::nullopt);
  EXPECT_EQ(config.target_path, std::nullopt);
  EXPECT_EQ(config.stuck_after, 30s);
  EXPECT_EQ(config.hang_timeout, 0s);
  EXPECT_EQ(config.idle_timeout, 2h);
  EXPECT_EQ(config.worker_timeout, 5min);
  EXPECT_EQ(config.concurrency, 0);
  EXPECT_EQ(config.memory_limit, std::nullopt);
  EXPECT_TRUE(config.prime);
  EXPECT_FALSE(config.wait_for_worker);
  EXPECT_FALSE(config.verify_failures);
  EXPECT_FALSE(config.force_tcp);
  EXPECT_FALSE(config.port);
  EXPECT_EQ(config.log_level, "INFO");
}

TEST_F(ConfigTest, DefaultsWithoutAFileOrATable) {
  expect_defaults(load_config(folder_.path(), {}).value());
  expect_defaults(load(""));
  expect_defaults(load("[tool.other]\nfoo = 1\n"));
  expect_defaults(load("tool = 3\n"));
  expect_defaults(load("[tool.sprintest]\n"));
}

TEST_F(ConfigTest, EveryKey) {
  folder_.write("src/pkg/__init__.py", "");
  const Config config = load(R"(
[project]
name = "x"

[tool.sprintest]
ignore = ["torch.*", "numpy"]
preload = [
  "torch",  # a comment
  "transformers",
]
isolation = "fork"
reload = "clean"
target = "pkg"
target_path = "src/pkg"
stuck_after = "5m"
idle_timeout = 90
worker_timeout = "2m"
concurrency = 4
memory_limit = "8GiB"
prime = false
wait_for_worker = true
verify_failures = true

[tool.later]
)");
  EXPECT_EQ(config.ignore, (std::vector<std::string>{"torch.*", "numpy"}));
  EXPECT_EQ(config.preload, (std::vector<std::string>{"torch", "transformers"}));
  EXPECT_EQ(config.target, "pkg");
  EXPECT_EQ(config.target_path, "src/pkg");
  EXPECT_EQ(config.stuck_after, 5min);
  EXPECT_EQ(config.idle_timeout, 90s);
  EXPECT_EQ(config.worker_timeout, 2min);
  EXPECT_EQ(config.concurrency, 4);
  EXPECT_EQ(config.memory_limit, 8ull << 30);
  EXPECT_FALSE(config.prime);
  EXPECT_TRUE(config.wait_for_worker);
  EXPECT_TRUE(config.verify_failures);
}

TEST_F(ConfigTest, OtherWaysToWriteTheTable) {
  EXPECT_EQ(load("[tool]\nsprintest.concurrency = 2\n").concurrency, 2);
  EXPECT_EQ(load("tool.sprintest = {concurrency = 3}\n").concurrency, 3);
  EXPECT_EQ(load("[ tool . \"sprintest\" ]\r\nconcurrency = 4\r\n").concurrency, 4);
}

TEST_F(ConfigTest, TheTargetsFolderMustExist) {
  folder_.write("src/pkg/__init__.py", "");
  EXPECT_EQ(load("[tool.sprintest]\ntarget_path = 'src/pkg'\n").target_path, "src/pkg");
  const auto absolute = (folder_.path() / "src/pkg").string();
  EXPECT_EQ(load("", {{"SPRINTEST_TARGET_PKG_PATH", absolute}}).target_path, absolute);
  for (const std::string path : {"src/gone", "src/pkg/__init__.py", "/dev/null"}) {
    const Error error = error_of_key("target_path = '" + path + "'");
    EXPECT_EQ(error.message, "target_path is not a folder: " + path);
    EXPECT_NE(error.hint.find("project's root"), std::string::npos);
    EXPECT_EQ(error_of_variable("SPRINTEST_TARGET_PKG_PATH", path).message, error.message);
  }
}

TEST_F(ConfigTest, VariablesOverrideTheFile) {
  folder_.write("lib/other/__init__.py", "");
  const Environment env{{"SPRINTEST_ISOLATION", "fork"},    {"SPRINTEST_RELOAD", "clean"},
                        {"SPRINTEST_TARGET_PKG", "other"},  {"SPRINTEST_TARGET_PKG_PATH", "lib/other"},
                        {"SPRINTEST_STUCK_AFTER", "250ms"}, {"SPRINTEST_IDLE_TIMEOUT", "60"},
                        {"SPRINTEST_CONCURRENCY", "8"},     {"SPRINTEST_MEMORY_LIMIT", "512MB"},
                        {"SPRINTEST_FORCE_TCP", "0"},       {"SPRINTEST_PORT", "9000"},
                        {"SPRINTEST_LOG_LEVEL", "DEBUG"}};
  const Config config = load("[tool.sprintest]\ntarget = \"pkg\"\nconcurrency = 2\n", env);
  EXPECT_EQ(config.target, "other");
  EXPECT_EQ(config.target_path, "lib/other");
  EXPECT_EQ(config.stuck_after, 250ms);
  EXPECT_EQ(config.idle_timeout, 60s);
  EXPECT_EQ(config.concurrency, 8);
  EXPECT_EQ(config.memory_limit, 512'000'000u);
  EXPECT_FALSE(config.force_tcp);
  EXPECT_EQ(config.port, 9000);
  EXPECT_EQ(config.log_level, "DEBUG");
}

TEST_F(ConfigTest, EmptyAndForeignVariablesAreIgnored) {
  expect_defaults(load("", {{"SPRINTEST_CONCURRENCY", ""},
                            {"SPRINTEST_MINE", "x"},
                            {"SPRINTEST_DIR", "/anywhere"},
                            {"SPRINTEST_LOCK_FILE", "/anywhere"},
                            {"CONCURRENCY", "x"}}));
}

TEST_F(ConfigTest, UnknownKey) {
  const Error error = error_of("[project]\nname = \"x\"\n\n[tool.sprintest]\nignore = []\nfoo = 1\n");
  EXPECT_EQ(error.message, "pyproject.toml:6: unknown key 'foo' in [tool.sprintest]");
  EXPECT_EQ(error.hint, kKeys);
}

TEST_F(ConfigTest, UnknownKeyThatIsNearlyRight) {
  EXPECT_EQ(error_of_key("ingore = []").hint, std::string("Did you mean 'ignore'? ") + kKeys);
  EXPECT_EQ(error_of_key("stuck-after = 3").hint, std::string("Did you mean 'stuck_after'? ") + kKeys);
  EXPECT_EQ(error_of_key("Preload = []").hint, std::string("Did you mean 'preload'? ") + kKeys);
}

TEST_F(ConfigTest, KeysThatOnlyVariablesHaveAreUnknown) {
  EXPECT_EQ(error_of_key("port = 1").message, "pyproject.toml:2: unknown key 'port' in [tool.sprintest]");
  EXPECT_EQ(error_of_key("\"\" = 1").message, "pyproject.toml:2: unknown key '' in [tool.sprintest]");
}

TEST_F(ConfigTest, UnknownSubtable) {
  EXPECT_EQ(error_of("[tool.sprintest]\n\n[tool.sprintest.deep]\nx = 1\n").message,
            "pyproject.toml:3: unknown key 'deep' in [tool.sprintest]");
}

TEST_F(ConfigTest, TheFirstErrorOfTheFileIsReported) {
  EXPECT_EQ(error_of_key("zzz = 1\nconcurrency = 0\naaa = 1").message,
            "pyproject.toml:2: unknown key 'zzz' in [tool.sprintest]");
}

TEST_F(ConfigTest, BadValuesNameTheLineAndTheValue) {
  const auto message = [&](const std::string& line) { return error_of_key(line).message; };
  EXPECT_EQ(message("concurrency = 0"),
            "pyproject.toml:2: bad value for 'concurrency' in [tool.sprintest]: 0");
  EXPECT_EQ(message("concurrency = \"2\""),
            "pyproject.toml:2: bad value for 'concurrency' in [tool.sprintest]: \"2\"");
  EXPECT_EQ(message("ignore = \"torch\""),
            "pyproject.toml:2: bad value for 'ignore' in [tool.sprintest]: \"torch\"");
  EXPECT_EQ(message("preload = [1]"),
            "pyproject.toml:2: bad value for 'preload' in [tool.sprintest]: a list with items that are not "
            "strings");
  EXPECT_EQ(message("target = [\"a\"]"),
            "pyproject.toml:2: bad value for 'target' in [tool.sprintest]: a list of strings");
  EXPECT_EQ(message("target = {}"), "pyproject.toml:2: bad value for 'target' in [tool.sprintest]: a table");
  EXPECT_EQ(message("target = true"), "pyproject.toml:2: bad value for 'target' in [tool.sprintest]: true");
  EXPECT_EQ(message("stuck_after = 1979-05-27"),
            "pyproject.toml:2: bad value for 'stuck_after' in [tool.sprintest]: 1979-05-27");
  EXPECT_EQ(message("memory_limit = 1.5"),
            "pyproject.toml:2: bad value for 'memory_limit' in [tool.sprintest]: 1.5");
}

TEST_F(ConfigTest, BadValuesHintAtWhatIsAccepted) {
  EXPECT_EQ(error_of_key("concurrency = 0").hint, "Accepted: a whole number from 1 to 256.");
  EXPECT_EQ(error_of_key("ignore = 1").hint, "Accepted: a list of strings.");
  EXPECT_EQ(error_of_key("idle_timeout = \"2 days\"").hint,
            "Accepted: seconds, or a duration such as \"500ms\", \"30s\", \"5m\" or \"2h\".");
  EXPECT_EQ(error_of_key("memory_limit = \"much\"").hint,
            "Accepted: bytes, or a size such as \"512MB\", \"8GB\" or \"8GiB\".");
}

TEST_F(ConfigTest, Isolation) {
  const Config config = load("[tool.sprintest]\nisolation = 'resident'\n");
  EXPECT_EQ(config.isolation, "resident");
  const Environment env{{"SPRINTEST_ISOLATION", "resident"}};
  EXPECT_EQ(load("", env).isolation, "resident");
  EXPECT_EQ(error_of_key("isolation = \"process\"").hint, "Accepted: \"fork\" or \"resident\".");
  EXPECT_EQ(error_of_variable("SPRINTEST_ISOLATION", "Resident").message,
            "SPRINTEST_ISOLATION: bad value \"Resident\"");
}

TEST_F(ConfigTest, ReloadOfEarlierVersionsIsAcceptedAndMeansNothing) {
  EXPECT_EQ(load("[tool.sprintest]\nreload = 'surgical'\n").isolation, "fork");
  EXPECT_EQ(error_of_key("reload = true").hint, "Accepted: \"clean\" or \"surgical\".");
}

TEST_F(ConfigTest, AResidentProcessRunsOneSuiteAtATime) {
  const std::string text = "[tool.sprintest]\nisolation = 'resident'\n";
  EXPECT_EQ(error_of(text + "concurrency = 2\n").message,
            "isolation is \"resident\" and concurrency is more than 1");
  EXPECT_EQ(error_of(text, {{"SPRINTEST_CONCURRENCY", "2"}}).hint,
            "The resident process does one run at a time: set concurrency to 1, or isolation to \"fork\".");
  EXPECT_EQ(load(text + "concurrency = 2\n", {{"SPRINTEST_ISOLATION", "fork"}}).concurrency, 2);
  EXPECT_EQ(load(text + "concurrency = 1\n").isolation, "resident");
}

TEST_F(ConfigTest, WhatLooksLikeASettingIsWarnedAbout) {
  using Lines = std::vector<std::string>;
  EXPECT_EQ(load("[tool.sprintest]\n", {{"SPRINTEST_PORT", "8001"}, {"STEST_BIN_DIR", "/b"}}).warnings,
            Lines{});
  EXPECT_EQ(load("[tool.other]\n[tool.stest]\nignore = []\n").warnings,
            Lines{"pyproject.toml:2: [tool.stest] is not read; stest's table is [tool.sprintest]"});
  EXPECT_EQ(load("", {{"STEST_ISOLATION", "fork"}, {"STEST_PORT", ""}}).warnings,
            Lines{"STEST_ISOLATION is not read; the variable is SPRINTEST_ISOLATION"});
  EXPECT_EQ(load("", {{"SPRINTEST_ISOLATON", "fork"}, {"SPRINTEST_SKIP_UVICORN", "1"}}).warnings,
            (Lines{"SPRINTEST_ISOLATON is not read; did you mean SPRINTEST_ISOLATION?",
                   "SPRINTEST_SKIP_UVICORN is not read; `stest --help` lists the variables"}));
}

TEST_F(ConfigTest, VariablesAloneAreReadWithoutAFile) {
  const auto config = load_variables({{"SPRINTEST_FORCE_TCP", "1"}, {"SPRINTEST_PORT", "8123"}});
  ASSERT_TRUE(config);
  EXPECT_TRUE(config->force_tcp);
  EXPECT_EQ(config->port, 8123);
  EXPECT_FALSE(load_variables({})->force_tcp);
  EXPECT_FALSE(load_variables({{"SPRINTEST_PORT", "many"}}));
}

TEST_F(ConfigTest, BadVariables) {
  EXPECT_EQ(error_of_variable("SPRINTEST_CONCURRENCY", "many").message,
            "SPRINTEST_CONCURRENCY: bad value \"many\"");
  EXPECT_EQ(error_of_variable("SPRINTEST_CONCURRENCY", "many").hint,
            "Accepted: a whole number from 1 to 256.");
  EXPECT_EQ(error_of_variable("SPRINTEST_LOG_LEVEL", "loud").hint,
            "Accepted: DEBUG, INFO, WARNING or ERROR.");
  EXPECT_EQ(error_of_variable("SPRINTEST_PORT", "0").hint, "Accepted: a whole number from 1 to 65535.");
}

TEST_F(ConfigTest, TheTableMustBeATable) {
  const Error error = error_of("[tool]\nsprintest = 3\n");
  EXPECT_EQ(error.message, "pyproject.toml:2: tool.sprintest is not a table");
  EXPECT_EQ(error.hint, "Write [tool.sprintest] and its keys below it.");
  EXPECT_EQ(error_of("\n[[tool.sprintest]]\n").message, "pyproject.toml:2: tool.sprintest is not a table");
}

TEST_F(ConfigTest, InvalidToml) {
  const Error error = error_of("[project]\nname = \"x\"\nversion = = 1\n");
  EXPECT_EQ(error.message.substr(0, 34), "pyproject.toml:3: not valid TOML: ") << error.message;
  EXPECT_FALSE(error.hint.empty());
  EXPECT_EQ(error_of("a = \"\xff\"\n").message.substr(0, 34), "pyproject.toml:1: not valid TOML: ");
  EXPECT_EQ(error_of("[tool.sprintest]\nignore = []\nignore = []\n").message.substr(0, 17),
            "pyproject.toml:3:");
}

TEST_F(ConfigTest, FileThatCannotBeRead) {
  std::filesystem::create_directory(folder_.path() / "pyproject.toml");
  const Result<Config> config = load_config(folder_.path(), {});
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().message,
            (folder_.path() / "pyproject.toml").string() + ": cannot read: Is a directory");
}

TEST_F(ConfigTest, Gpus) {
  EXPECT_FALSE(load("").gpus);
  EXPECT_EQ(std::get<int>(*load("[tool.sprintest]\ngpus = 2\n").gpus), 2);
  EXPECT_GT(std::get<int>(*load("[tool.sprintest]\ngpus = \"auto\"\n").gpus), 1024);
  EXPECT_EQ(std::get<1>(*load("[tool.sprintest]\ngpus = [\"0\", \"2\"]\n").gpus),
            (std::vector<std::string>{"0", "2"}));
  EXPECT_NE(error_of("[tool.sprintest]\ngpus = \"all\"\n").message.find("bad value for 'gpus'"),
            std::string::npos);
}

TEST(ConfigKeys, AreCompleteAndUnique) {
  std::set<std::string> names;
  for (const ConfigKey& key : config_keys()) {
    EXPECT_FALSE(key.accepts.empty());
    EXPECT_FALSE(key.fallback.empty());
    EXPECT_FALSE(key.key.empty() && key.variable.empty());
    EXPECT_TRUE(names.insert(key.key + "/" + key.variable).second);
  }
  EXPECT_EQ(names.size(), 23u);
}

TEST_F(ConfigTest, FallbacksAreTheDefaults) {
  Environment env;
  for (const ConfigKey& key : config_keys()) {
    if (key.variable.empty() || key.fallback == "none" || key.fallback == "found" ||
        key.fallback == "processors" || key.fallback == "stest's own") {
      continue;
    }
    if (key.variable == "SPRINTEST_PORT") continue;  // To ask for one is something else than its default.
    env[key.variable] = key.fallback;
  }
  expect_defaults(load("", env));
}

}  // namespace
}  // namespace stest
