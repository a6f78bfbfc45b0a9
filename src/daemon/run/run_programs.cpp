#include "daemon/run/run_programs.hpp"

#include <algorithm>
#include <utility>

namespace stest {
namespace {

/// Only a worker that is at a test has a frame of this file.
constexpr auto runs_a_test = "/_pytest/runner.py\"";

}  // namespace

void RunPrograms::add(std::weak_ptr<RunControl> program) {
  std::lock_guard lock(mutex_);
  programs_.push_back(std::move(program));
}

void RunPrograms::ask() {
  for (const auto& program : living()) program->want_stack();
}

bool RunPrograms::have_answered() const {
  const auto programs = living();
  return std::all_of(programs.begin(), programs.end(), [](const auto& one) { return one->stack(); });
}

std::string RunPrograms::stacks() const {
  std::string text;
  for (const auto& program : living()) {
    const auto stack = program->stack().value_or("");
    if (stack.find(runs_a_test) != stack.npos) text += stack;
  }
  return text;
}

std::vector<std::shared_ptr<RunControl>> RunPrograms::living() const {
  std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<RunControl>> programs;
  for (const auto& one : programs_) {
    if (auto program = one.lock()) programs.push_back(std::move(program));
  }
  return programs;
}

}  // namespace stest
