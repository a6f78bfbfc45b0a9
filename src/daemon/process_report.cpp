#include "daemon/process_report.hpp"

#include <unistd.h>

#include <array>
#include <nlohmann/json.hpp>
#include <string_view>

#include "common/os/process.hpp"

namespace stest {
namespace {

std::string_view name(ProcessRole role) {
  static constexpr std::array<std::string_view, 9> names{
      "daemon", "worker", "other_worker", "snapshot", "values", "resident", "run", "left_behind", "other"};
  return names[static_cast<std::size_t>(role)];
}

KnownProcess child_of(const KnownProcess& parent) {
  const bool is_worker = parent.role == ProcessRole::worker || parent.role == ProcessRole::other_worker;
  if (is_worker) return {ProcessRole::snapshot, {}};
  if (parent.role == ProcessRole::daemon) return {ProcessRole::other, {}};
  return parent;
}

nlohmann::json run_or_null(const KnownProcess& process) {
  return process.run ? nlohmann::json(*process.run) : nlohmann::json();
}

}  // namespace

nlohmann::json report_processes(const KnownProcesses& known) {
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
  for (const auto& view : living_descendants(getpid())) {  // Parents come before their children.
    family.try_emplace(view.identity.pid, child_of(family[view.parent]));
    report(view.identity.pid);
  }
  return list;
}

}  // namespace stest
