#pragma once

#include <string>
#include <vector>

#include "stest/config.hpp"

namespace stest {

/// What imports in the zygote have changed in its environment. Each run makes the same changes to its own.
struct EnvironmentChanges {
  Environment set;
  std::vector<std::string> unset;
};

/// The changes that turn `before` into `after`.
EnvironmentChanges difference(const Environment& before, const Environment& after);

/// `env` with these changes.
Environment apply(const EnvironmentChanges& changes, Environment env);

}  // namespace stest
