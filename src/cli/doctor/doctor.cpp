#include "cli/doctor/doctor.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string_view>

#include "cli/doctor/doctor_installation.hpp"
#include "cli/doctor/doctor_machine.hpp"
#include "cli/doctor/doctor_predecessor.hpp"
#include "cli/doctor/doctor_sandbox.hpp"
#include "cli/python_choice.hpp"
#include "common/os/cgroup.hpp"
#include "common/os/python_executable.hpp"

namespace stest {
namespace {

using Grade = Finding::Grade;

std::string_view name(Grade grade) {
  constexpr std::array<std::string_view, 3> names{"ok", "warning", "failure"};
  return names[static_cast<std::size_t>(grade)];
}

auto count(const std::vector<Finding>& findings, Grade grade) {
  return std::count_if(findings.begin(), findings.end(), [&](const auto& one) { return one.grade == grade; });
}

std::string counted(std::ptrdiff_t number, const std::string& what) {
  return std::to_string(number) + " " + what + (number == 1 ? "" : "s");
}

std::string summary(const std::vector<Finding>& findings) {
  const auto failures = count(findings, Grade::failure);
  const auto warnings = count(findings, Grade::warning);
  if (failures == 0 && warnings == 0) return "everything is in order";
  return counted(failures, "failure") + ", " + counted(warnings, "warning");
}

/// The Python that runs the tests, and what is installed for it. Nothing if no worker can use it.
std::optional<PythonFacts> examine_installed(const std::filesystem::path& python,
                                             const std::filesystem::path& own, const Project& project,
                                             std::vector<Finding>& findings) {
  auto facts = ask_python(python, project.env);
  const auto usable = python == own || !facts ? Status() : check_choice(python, facts);
  findings.push_back(usable ? check_python(python, facts, other_environment(own, project))
                            : failure("python", usable.error().message, usable.error().hint));
  if (!facts) return std::nullopt;
  if (auto predecessor = check_predecessor(project.paths, *facts))
    findings.push_back(std::move(*predecessor));
  if (!usable) return std::nullopt;
  findings.push_back(check_pytest(*facts));
  if (findings.back().grade == Grade::failure) return std::nullopt;
  return std::move(*facts);
}

/// Python, pytest, the worker, and its forks. A failure makes the later checks pointless.
void examine_python(const Project& project, const Config& config, Console& console,
                    std::vector<Finding>& findings) {
  const auto folder = executable_folder();
  const auto own = python_executable(folder);
  const auto python = python_executable(folder, project.env);
  const auto facts = examine_installed(python, own, project, findings);
  if (!facts) return;
  WorkerProbe probe{worker_host(folder, python), python, {}};
  if (python != own) probe.package = own_package(own, project.env).value_or("");
  findings.push_back(check_worker(probe_worker(probe, project, config), *facts));
  if (findings.back().grade == Grade::failure) return;
  probe.modules = modules_to_preload(project.paths.preload_file, config);
  const auto modules = probe.modules.size();
  console.show_briefly("importing " + std::to_string(modules) +
                       " modules to check whether forks are healthy…");
  findings.push_back(
      check_forks(modules == 0 ? WorkerFacts{} : probe_worker(probe, project, config), modules));
  console.clear_brief();
}

void examine_state(const Project& project, std::vector<Finding>& findings) {
  const auto& paths = project.paths;
  findings.push_back(check_state_folder(paths));
  if (findings.back().grade == Grade::failure) return;
  findings.push_back(check_socket(paths));
  findings.push_back(check_disk(paths.directory));
  findings.push_back(check_daemon(paths, own_installation(project.env)));
}

void examine_machine(std::vector<Finding>& findings) {
  findings.push_back(check_proc());
  const auto cgroup = Cgroup::of_memory(::getpid());
  findings.push_back(
      check_memory(cgroup ? cgroup->limit() : std::nullopt, cgroup ? cgroup->folder().string() : ""));
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  findings.push_back(check_open_files(files.rlim_cur, files.rlim_max));
  findings.push_back(check_inotify());
}

}  // namespace

std::vector<Finding> examine(const Project& project, Console& console) {
  std::vector<Finding> findings;
  const auto config = load_config(project.paths.root, project.env);
  findings.push_back(check_programs(executable_folder()));
  findings.push_back(check_configuration(config));
  examine_python(project, config.value_or(Config{}), console, findings);
  examine_state(project, findings);
  examine_machine(findings);
  return findings;
}

std::string findings_text(const std::vector<Finding>& findings) {
  constexpr std::size_t grade_width = 9;
  constexpr std::size_t name_width = 15;
  std::string text;
  for (const auto& finding : findings) {
    std::string line(name(finding.grade));
    line.resize(grade_width, ' ');
    line += finding.name;
    line.resize(grade_width + name_width, ' ');
    text += line + finding.detail + "\n";
    if (!finding.remedy.empty()) text += std::string(grade_width, ' ') + "→ " + finding.remedy + "\n";
  }
  return text + "stest doctor: " + summary(findings) + "\n";
}

std::string findings_json(const std::vector<Finding>& findings) {
  auto checks = nlohmann::json::array();
  for (const auto& finding : findings) {
    checks.push_back({{"name", finding.name},
                      {"grade", name(finding.grade)},
                      {"detail", bytes_to_json(finding.detail)},
                      {"remedy", bytes_to_json(finding.remedy)}});
  }
  const nlohmann::json all = {{"sound", exit_code(findings) == ExitCode::ok}, {"checks", std::move(checks)}};
  return all.dump(2) + "\n";
}

ExitCode exit_code(const std::vector<Finding>& findings) {
  return count(findings, Grade::failure) == 0 ? ExitCode::ok : ExitCode::unsound;
}

}  // namespace stest
