#pragma once

#include <string>
#include <vector>

#include "stest/config.hpp"

namespace stest {

/// What the imports of the zygote did to its environment; every run gets the same on top of its own.
struct EnvironmentChanges {
  Environment set;
  std::vector<std::string> unset;
};

/// What turned `before` into `after`.
EnvironmentChanges difference(const Environment& before, const Environment& after);

/// `env` with the changes made to it.
Environment apply(const EnvironmentChanges& changes, Environment env);

}  // namespace stest
