#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "runner.hpp"
#include "stest/protocol.hpp"

namespace stest {

/// Imports modules into this process ahead of the runs, and keeps account of them. The rules that
/// decide what may stay are Python (`sprintest/_preload.py`).
class Preloader {
 public:
  /// `root` is the project's: its own code is never preloaded. `initial_env` is what this process
  /// was started with.
  Preloader(std::string root, Environment initial_env)
      : root_(std::move(root)), initial_env_(std::move(initial_env)) {}

  /// Imports `modules` in order; `importing` is told each name beforehand. Stops at, and returns, the
  /// first module that has spoilt this process; nothing if it may serve. Throws what Python throws.
  std::optional<protocol::Unfit> load(const std::vector<std::string>& modules,
                                      const std::function<void(const std::string&)>& importing);

  /// What is warm and what it depends on.
  const protocol::Ready& account() const { return account_; }

  /// What the imports did to the environment.
  EnvironmentChanges environment_changes() const;

 private:
  std::string root_;
  Environment initial_env_;
  protocol::Ready account_;
};

/// Forks a child that does what tests do first (`sprintest/_canary.py`). Returns why such a child
/// fails (hangs past the deadline, dies), or nothing: forks of this process are healthy.
std::optional<std::string> canary();

}  // namespace stest
