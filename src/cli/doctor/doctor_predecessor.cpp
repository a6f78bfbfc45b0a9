#include "cli/doctor/doctor_predecessor.hpp"

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "common/os/process.hpp"
#include "common/os/read_file.hpp"

namespace stest {
namespace {

/// Whether a distribution `sprintest` is the Python program. stest has its name, and goes on from version 2.
bool is_of_predecessor(const std::string& version) {
  return !version.empty() && std::atoi(version.c_str()) < 2;
}

/// The pid of the Python program's daemon for this root, which it was started in.
std::optional<int> daemon_of_predecessor(const std::filesystem::path& root) {
  for (const auto& process : living_processes()) {
    const int pid = process.identity.pid;
    std::error_code error;
    if (std::filesystem::read_symlink("/proc/" + std::to_string(pid) + "/cwd", error) != root || error)
      continue;
    const auto line = stest::command_line(pid) + " ";
    for (const auto* name : {" -m sprintest.daemon ", "/sprintest-daemon ", "/stest-daemon "}) {
      if (line.find(name) != line.npos) return pid;
    }
  }
  return std::nullopt;
}

/// Its status file has a pid, as stest's has, but does not say which build the daemon is.
bool has_status_of_predecessor(const std::filesystem::path& file) {
  const auto text = read_file(file);
  if (!text || !*text) return false;
  const auto status = nlohmann::json::parse(**text, nullptr, false);
  return status.is_object() && status.contains("pid") && !status.contains("build");
}

}  // namespace

std::optional<Finding> check_predecessor(const RuntimePaths& paths, const PythonFacts& python) {
  std::string found;
  std::string remedy;
  const auto add = [](std::string& text, const std::string& part) {
    text += (text.empty() ? "" : "; ") + part;
  };
  if (is_of_predecessor(python.sprintest)) {
    add(found, "version " + python.sprintest + " is installed in " + python.prefix);
    add(remedy,
        "remove it there (python -m pip uninstall sprintest), then install stest again, from where you had "
        "it");
  }
  if (const auto pid = daemon_of_predecessor(paths.root)) {
    add(found, "its daemon runs here, pid " + std::to_string(*pid));
    add(remedy, "end the daemon: kill " + std::to_string(*pid));
  }
  if (has_status_of_predecessor(paths.status_file)) {
    add(found, paths.status_file.string() + " is its file");
    add(remedy, "the next run of stest replaces the file");
  }
  if (found.empty()) return std::nullopt;
  return warning("predecessor", "the Python program sprintest: " + found, remedy);
}

}  // namespace stest
