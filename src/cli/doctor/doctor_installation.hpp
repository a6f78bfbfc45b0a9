#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "cli/doctor/finding.hpp"
#include "cli/project.hpp"
#include "client/daemon_launcher.hpp"
#include "client/python_facts.hpp"
#include "common/os/worker_host.hpp"

/// The checks of `stest doctor` that concern stest's programs, Python and the daemon. They do not start a
/// daemon. They ask a running one for its status.
namespace stest {

/// `other` is the line about another environment than stest's own, if there is one.
Finding check_python(const std::filesystem::path& python, const Result<PythonFacts>& facts,
                     const std::optional<std::string>& other = {});
Finding check_pytest(const PythonFacts& facts);

/// What `stest-worker --probe` reports.
struct WorkerFacts {
  std::string version;  ///< Of Python.
  std::string prefix;
  std::string unhealthy;  ///< Why its forks are not healthy; empty if they are.
};

/// A worker to try out, and the modules that it imports first.
struct WorkerProbe {
  WorkerHost host;
  std::filesystem::path python;
  std::vector<std::string> modules;
  std::string package = {};  ///< See `own_package`.
};

/// Errors: `worker_failed`, with the worker's output, or because it took longer than `worker_timeout`.
Result<WorkerFacts> probe_worker(const WorkerProbe& probe, const Project& project, const Config& config);
/// Checks that it starts, runs the environment's Python, and can be forked.
Finding check_worker(const Result<WorkerFacts>& worker, const PythonFacts& python);

/// The modules that a worker would preload: the configured and the learned ones.
std::vector<std::string> modules_to_preload(const std::filesystem::path& preload_file, const Config& config);
/// Checks that a worker can be forked after it has imported `count` modules.
Finding check_forks(const Result<WorkerFacts>& worker, std::size_t count);

/// Checks that `stestd` and a worker are installed with `folder`, and that programs have the same version.
Finding check_programs(const std::filesystem::path& folder);
Finding check_daemon(const RuntimePaths& paths, const Installation& own);
Finding check_configuration(const Result<Config>& config);

}  // namespace stest
