#include "cli/doctor/doctor_installation.hpp"

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <system_error>

#include "client/client.hpp"
#include "client/program.hpp"
#include "common/os/read_file.hpp"
#include "common/version.hpp"

namespace stest {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

constexpr auto program_limit = 60s;
constexpr int oldest_pytest = 7;
constexpr const char* reinstall = "Install stest again in this environment, from where you had it.";

/// The version that `program --version` prints; an error says what is wrong with it.
Result<std::string> version_of(const std::filesystem::path& program) {
  SpawnOptions options;
  options.executable = program;
  options.args = {"--version"};
  const auto end = run_program(options, program_limit);
  if (!end) return tl::unexpected(end.error());
  if (end->status.code == 0) return last_line(end->out);
  return fail(ErrorCode::internal, how_it_ended(program, *end));
}

bool is_locked(const std::filesystem::path& file) {
  std::error_code ignored;
  if (!std::filesystem::exists(file, ignored)) return false;
  // Held only for a moment: a client that starts a daemon tries again.
  const auto lock = FileLock::try_acquire(file);
  return lock && !*lock;
}

Finding check_silent_lock(const RuntimePaths& paths) {
  if (!is_locked(paths.lock_file)) return fine("daemon", "none runs; the first run starts one");
  const auto holder = lock_holder(paths.lock_file);
  return failure("daemon",
                 paths.lock_file.string() + " is held" +
                     (holder ? " by process " + std::to_string(*holder) : std::string()) +
                     ", but no daemon serves requests",
                 "If it is not just starting, stest restart ends it.");
}

}  // namespace

Finding check_python(const std::filesystem::path& python, const Result<PythonFacts>& facts,
                     const std::optional<std::string>& other) {
  if (!facts) {
    return failure("python", facts.error().message,
                   "Create the virtual environment again, and install stest in it; it may have been moved.");
  }
  if (other)
    return warning("python", *other, "Choose one, or install stest in the environment that is meant.");
  return fine("python", facts->version + ", " + python.string() + ", libpython is " +
                            (facts->is_shared ? "shared" : "static"));
}

Finding check_pytest(const PythonFacts& facts) {
  if (facts.pytest.empty()) {
    return failure("pytest", "cannot be imported: " + facts.pytest_problem, "python -m pip install pytest");
  }
  if (std::atoi(facts.pytest.c_str()) >= oldest_pytest) return fine("pytest", facts.pytest);
  return failure("pytest", facts.pytest + " is older than " + std::to_string(oldest_pytest),
                 "python -m pip install --upgrade pytest");
}

Result<WorkerFacts> probe_worker(const WorkerProbe& probe, const Project& project, const Config& config) {
  SpawnOptions options;
  options.args = {"--probe", "--python", probe.python.string(), "--root", project.paths.root.string()};
  if (!probe.package.empty()) options.args.insert(options.args.end(), {"--package", probe.package});
  for (const auto& pattern : config.ignore) options.args.insert(options.args.end(), {"--ignore", pattern});
  options.args.insert(options.args.end(), probe.modules.begin(), probe.modules.end());
  options.cwd = project.cwd.string();
  auto env = project.env;
  const auto library = start_worker(options, probe.host, env);
  const auto answer = answer_of(options.executable, run_program(options, config.worker_timeout));
  if (!answer) return tl::unexpected(answer.error());
  return WorkerFacts{string_field(*answer, "python"), string_field(*answer, "prefix"),
                     string_field(*answer, "unhealthy")};
}

Finding check_worker(const Result<WorkerFacts>& worker, const PythonFacts& python) {
  if (!worker) return failure("worker", worker.error().message, reinstall);
  if (worker->version != python.version || worker->prefix != python.prefix) {
    return failure("worker",
                   "runs Python " + worker->version + " of " + worker->prefix + ", but the environment has " +
                       python.version + " of " + python.prefix,
                   reinstall);
  }
  if (worker->unhealthy.empty())
    return fine("worker", "runs Python " + worker->version + " of " + worker->prefix);
  return failure("worker", worker->unhealthy,
                 "Code that runs when Python starts causes this: look for .pth files and sitecustomize.");
}

std::vector<std::string> modules_to_preload(const std::filesystem::path& preload_file, const Config& config) {
  auto modules = config.preload;
  const auto content = read_file(preload_file);
  if (!content || !*content) return modules;
  const auto learned = json::parse(**content, nullptr, false);
  if (!learned.is_object() || !learned.contains("learned")) return modules;
  for (const auto& name : learned["learned"]) {
    if (name.is_string()) modules.push_back(name.get<std::string>());
  }
  return modules;
}

Finding check_forks(const Result<WorkerFacts>& worker, std::size_t count) {
  const auto modules = std::to_string(count) + (count == 1 ? " module" : " modules");
  const auto remedy =
      "The next run finds the module and does not preload it; `stest status` names it. Remove it from "
      "`preload`.";
  if (count == 0) return fine("fork safety", "nothing to preload yet");
  if (!worker)
    return failure("fork safety", "with " + modules + " imported: " + worker.error().message, remedy);
  if (!worker->unhealthy.empty()) return warning("fork safety", worker->unhealthy, remedy);
  return fine("fork safety", "forks are healthy with " + modules + " imported");
}

Finding check_programs(const std::filesystem::path& folder) {
  const std::string own(stest_version());
  const auto worker = worker_host(folder, {});
  std::error_code ignored;
  if (worker.is_python() && !std::filesystem::exists(worker.library, ignored))
    return failure("programs", worker.library.string() + " is missing", reinstall);
  std::vector programs{folder / "stestd"};
  if (!worker.is_python()) programs.push_back(worker.executable);
  for (const auto& program : programs) {
    const auto version = version_of(program);
    if (!version) return failure("programs", version.error().message, reinstall);
    if (*version == own) continue;
    return failure("programs", "stest has version " + own + ", but " + program.string() + " has " + *version,
                   reinstall);
  }
  return fine("programs", "stest " + own + " in " + folder.string());
}

Finding check_daemon(const RuntimePaths& paths, const Installation& own) {
  if (const auto near = check_surroundings(paths); !near) {
    return failure("daemon", near.error().message,
                   near.error().hint + "; until then `python -m pytest` runs.");
  }
  const auto daemon = read_status(paths.status_file);
  if (!daemon) return check_silent_lock(paths);
  const auto who = "pid " + std::to_string(daemon->process.pid);
  if (const auto status = DaemonClient(daemon->endpoint).status(); !status) {
    return failure("daemon", who + ": " + status.error().message,
                   "stest restart ends it and starts a new one.");
  }
  if (daemon->version == own.version && daemon->build == own.build && daemon->python == own.python) {
    return fine("daemon", who + " answers");
  }
  return warning(
      "daemon",
      who + " belongs to another installation: stest " + daemon->version + " with " + daemon->python,
      "The next run replaces it once it is idle; stest restart does so at once.");
}

Finding check_configuration(const Result<Config>& config) {
  if (!config) return failure("configuration", config.error().message, config.error().hint);
  if (!config->warnings.empty()) {
    std::string all;
    for (const auto& one : config->warnings) all += (all.empty() ? "" : "; ") + one;
    return warning("configuration", all, "Rename or remove what is not read.");
  }
  return fine("configuration", "[tool.sprintest] and the SPRINTEST_ variables are valid");
}

}  // namespace stest
