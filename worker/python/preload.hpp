#pragma once

#include <pybind11/pytypes.h>

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "stest/protocol.hpp"
#include "worker/python/interpreter.hpp"
#include "worker/runner/runner.hpp"

namespace stest {

/// What counts as project code: see `ProjectCode` in `sprintest/modules/_modules.py`.
struct ProjectCode {
  std::string root;
  std::string target;  ///< The package under development, as configured; so is its folder.
  std::string target_path;
  std::vector<std::string> ignore;
};

/// Imports modules into this process ahead of the runs, and keeps account of them. The rules that
/// decide what may stay are Python (`sprintest/preload/_preload.py`).
class Preloader {
 public:
  /// `initial_env` is what this process was started with. Throws what Python throws.
  Preloader(const ProjectCode& project, Environment initial_env, AtStart at_start);

  using Tell = std::function<void(const protocol::FromWorker&)>;
  /// Imports the modules in order; tells of each beforehand, and afterwards where it proved not preloadable.
  /// Then compiles the patterns, those that neither warn nor fail. Returns false where a module has spoilt
  /// this process, which must not serve; nothing is done after it. Throws what Python throws.
  bool load(const protocol::Preload& wanted, const Tell& tell);

  /// Loads these values, for the forks of this process. Throws what Python throws: it must not serve then.
  protocol::Values hold(const protocol::HoldValues& wanted);

  /// What is warm and what it depends on.
  const protocol::Ready& account() const { return account_; }

  /// What the imports did to the environment.
  EnvironmentChanges environment_changes() const;

 private:
  void take_report(const pybind11::dict& report);

  Environment initial_env_;
  AtStart at_start_;
  protocol::Ready account_;
};

/// Forks a child that does what tests do first (`sprintest/preload/_fork_health.py`). Returns why such a
/// child fails (hangs past the deadline, dies), or nothing: forks of this process are healthy.
std::optional<std::string> check_fork_health();

/// The folders with installed packages, as far as Python can tell them now.
std::vector<std::string> site_dirs();

}  // namespace stest
