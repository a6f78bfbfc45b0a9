#pragma once

#include <pybind11/pytypes.h>

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/json/line_channel.hpp"
#include "stest/protocol.hpp"
#include "worker/python/interpreter.hpp"
#include "worker/runner/runner.hpp"

namespace stest {

/// What counts as project code: see `ProjectCode` in `sprintest/modules/_modules.py`.
struct ProjectCode {
  std::string root;
  std::string target;       ///< The package under development, as configured.
  std::string target_path;  ///< Its folder, as configured.
  std::vector<std::string> ignore;
};

/// Imports modules into this process ahead of the runs, and keeps account of them. The rules that decide what
/// is preloadable are in Python (`sprintest/preload/_preload.py`).
class Preloader {
 public:
  /// `initial_env` is the environment at the start of this process. Throws what Python throws.
  Preloader(const ProjectCode& project, Environment initial_env, AtStart at_start);

  using Tell = std::function<void(const protocol::FromWorker&)>;
  /// Imports the modules in order. Calls `tell` before each, and after each that is not preloadable. Returns
  /// false as soon as a module has spoilt this process, which must not serve. Where modules are tried out in
  /// forks, a message on `channel` ends that: the rest is neither loaded nor reported. Throws what Python
  /// throws.
  bool load(const protocol::Preload& wanted, const Tell& tell, const LineChannel* channel = nullptr);

  /// Loads these values for the forks of this process. Throws what Python throws; then the process must not
  /// serve.
  protocol::Values hold(const protocol::HoldValues& wanted);

  /// What is preloaded, and what that depends on.
  const protocol::Ready& account() const { return account_; }

  /// What the imports have changed in the environment.
  EnvironmentChanges environment_changes() const;

 private:
  void take_report(const pybind11::dict& report);

  Environment initial_env_;
  AtStart at_start_;
  protocol::Ready account_;
};

/// Forks a child that computes with numpy and torch (`sprintest/preload/_fork_health.py`). Returns why the
/// child fails (it hangs, dies, or raises an exception), or nothing if forks of this process are healthy.
std::optional<std::string> check_fork_health();

/// The site directories; empty if Python cannot tell them.
std::vector<std::string> site_dirs();

}  // namespace stest
