#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "cli/doctor/finding.hpp"
#include "cli/project.hpp"
#include "client/daemon_launcher.hpp"

/// The checks of `stest doctor` that concern stest's programs, Python and the running daemon. None starts a
/// daemon; the one that runs is asked for its status.
namespace stest {

/// What the environment's interpreter says of itself.
struct PythonFacts {
  std::string version;
  std::string prefix;
  std::string pytest;          ///< Its version; empty if it cannot be imported.
  std::string pytest_problem;  ///< Why not.
  bool is_shared = false;      ///< Whether libpython is a shared library.
};

/// Errors: `worker_failed`, with what it wrote.
Result<PythonFacts> ask_python(const std::filesystem::path& python, const Environment& env);
Finding check_python(const std::filesystem::path& python, const Result<PythonFacts>& facts);
Finding check_pytest(const PythonFacts& facts);

/// What `stest-worker --probe` says.
struct WorkerFacts {
  std::string version;  ///< Of Python.
  std::string prefix;
  std::string unhealthy;  ///< Why forks of it are not healthy; empty if they are.
};

/// A worker to be tried out, with the modules that it is to import first.
struct WorkerProbe {
  std::filesystem::path executable;
  std::filesystem::path python;
  std::vector<std::string> modules;
};

/// Errors: `worker_failed`, with what it wrote, or that it took longer than `worker_timeout`.
Result<WorkerFacts> probe_worker(const WorkerProbe& probe, const Project& project, const Config& config);
/// That it starts, embeds the environment's own Python, and can be forked.
Finding check_worker(const Result<WorkerFacts>& worker, const PythonFacts& python);

/// What a worker would preload: what is configured, and what runs have taught.
std::vector<std::string> modules_to_preload(const std::filesystem::path& preload_file, const Config& config);
/// That a worker can be forked once it has imported `count` modules.
Finding check_forks(const Result<WorkerFacts>& worker, std::size_t count);

/// That `stest`, `stestd` and `stest-worker` lie in `folder` and are of one version.
Finding check_programs(const std::filesystem::path& folder);
Finding check_daemon(const RuntimePaths& paths, const Installation& own);
Finding check_configuration(const Result<Config>& config);

}  // namespace stest
