#include "client/python_facts.hpp"

#include <nlohmann/json.hpp>

#include "client/program.hpp"
#include "common/version.hpp"

namespace stest {
namespace {

constexpr auto python_limit = std::chrono::seconds(60);

constexpr const char* python_facts = R"(
import importlib.metadata, importlib.util, json, sys, sysconfig
facts = {"version": ".".join(map(str, sys.version_info[:3])), "prefix": sys.prefix, "pytest": "", "pytest_problem": "",
         "is_shared": bool(sysconfig.get_config_var("Py_ENABLE_SHARED")), "package": "", "sprintest": "",
         "tag": sys.implementation.cache_tag + ("t" if sysconfig.get_config_var("Py_GIL_DISABLED") else "")}
try:
    import pytest
    facts["pytest"] = pytest.__version__
except BaseException as error:
    facts["pytest_problem"] = f"{type(error).__name__}: {error}"
if (spec := importlib.util.find_spec("sprintest")) and spec.submodule_search_locations:
    facts["package"] = list(spec.submodule_search_locations)[0]
try:
    facts["sprintest"] = importlib.metadata.version("sprintest")
except importlib.metadata.PackageNotFoundError:
    pass
print(json.dumps(facts))
)";

/// "cpython-311"
std::string own_tag() {
  std::string tag = "cpython-" + std::string(python_version());
  std::erase(tag, '.');
  return tag;
}

}  // namespace

Result<PythonFacts> ask_python(const std::filesystem::path& python, const Environment& env) {
  SpawnOptions options;
  options.executable = python;
  options.args = {"-c", python_facts};
  options.env = &env;
  options.cwd = "/";
  const auto answer = answer_of(python, run_program(options, python_limit));
  if (!answer) return tl::unexpected(answer.error());
  const auto field = [&](const char* key) { return string_field(*answer, key); };
  return PythonFacts{field("version"),
                     field("prefix"),
                     field("pytest"),
                     field("pytest_problem"),
                     answer->value("is_shared", false),
                     field("tag"),
                     field("package"),
                     field("sprintest")};
}

Status check_choice(const std::filesystem::path& python, const Result<PythonFacts>& facts) {
  if (!facts) return fail(ErrorCode::config, facts.error().message, "Choose another Python.");
  if (facts->tag != own_tag()) {
    const std::string built_for(python_version());
    return fail(ErrorCode::config,
                python.string() + " is Python " + facts->version + " (" + facts->tag +
                    "), but this stest was built for Python " + built_for,
                "Choose a Python " + built_for + ", or install stest in that environment and run it there.");
  }
  if (!facts->pytest.empty()) return {};
  return fail(ErrorCode::config, python.string() + " cannot import pytest: " + facts->pytest_problem,
              "Install pytest in that environment, or choose another Python.");
}

Result<std::string> own_package(const std::filesystem::path& own, const Environment& env) {
  const auto facts = ask_python(own, env);
  if (!facts) return tl::unexpected(facts.error());
  if (!facts->package.empty()) return facts->package;
  return fail(ErrorCode::worker_failed, own.string() + " cannot import stest's own package sprintest",
              "Install stest again, from where you had it.");
}

}  // namespace stest
