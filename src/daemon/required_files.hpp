#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "common/os/runtime_paths.hpp"
#include "daemon/held_file.hpp"

namespace stest {

/// The files and folders without which no client finds the daemon, or the daemon can serve none: the root,
/// the state folder, the lock and the installation's programs.
class RequiredFiles {
 public:
  /// A program that is missing now is not required later.
  RequiredFiles(const RuntimePaths& paths, std::vector<std::filesystem::path> programs);

  /// What is missing, as a clause for the log; nothing if all is in its place. A program may be replaced,
  /// because clients find out by themselves that a daemon is of another build.
  std::optional<std::string> problem() const;

 private:
  std::vector<HeldFile> held_;
  std::vector<std::filesystem::path> programs_;
};

}  // namespace stest
