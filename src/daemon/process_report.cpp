#include "daemon/process_report.hpp"

#include <unistd.h>

#include <array>
#include <nlohmann/json.hpp>
#include <string_view>

#include "common/os/process.hpp"

namespace stest {
namespace {

std::string_view name(ProcessRole role) {
  static constexpr std::array<std::string_view, 6> names{"daemon", "worker",      "worker_child",
                                                         "run",    "left_behind", "other"};
  return names[static_cast<std::size_t>(role)];
}

KnownProcess child_of(const KnownProcess& parent) {
  if (parent.role == ProcessRole::worker) return {ProcessRole::worker_child, {}};
  if (parent.role == ProcessRole::daemon) return {ProcessRole::other, {}};
  return parent;
}

std::map<int, int> parents() {
  std::map<int, int> all;
  for (const auto& view : living_processes()) all[view.identity.pid] = view.parent;
  return all;
}

nlohmann::json run_or_null(const KnownProcess& process) {
  return process.run ? nlohmann::json(*process.run) : nlohmann::json();
}

}  // namespace

nlohmann::json report_processes(const KnownProcesses& known) {
  const auto parent_of = parents();
  auto family = known;
  auto list = nlohmann::json::array();
  const auto report = [&](int pid) {
    const auto memory = proportional_memory(pid);
    if (!memory) return;
    const auto& process = family[pid];
    list.push_back(
        {{"pid", pid}, {"role", name(process.role)}, {"run", run_or_null(process)}, {"bytes", *memory}});
  };
  report(getpid());
  for (const int pid : descendants(getpid())) {  // Parents come before their children.
    const auto parent = parent_of.find(pid);
    if (parent != parent_of.end()) family.try_emplace(pid, child_of(family[parent->second]));
    report(pid);
  }
  return list;
}

}  // namespace stest
