#pragma once

#include <string>

#include "common/os/process.hpp"

namespace stest {

/// How to run a script by `sh`.
inline SpawnOptions shell(const std::string& script) {
  SpawnOptions options;
  options.executable = "/bin/sh";
  options.args = {"-c", script};
  return options;
}

}  // namespace stest
