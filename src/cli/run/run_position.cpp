#include "cli/run/run_position.hpp"

#include <cmath>
#include <utility>

namespace stest {
namespace {

std::string seconds_since(RunPosition::Clock::time_point begin) {
  const auto passed = std::chrono::duration<double>(RunPosition::Clock::now() - begin);
  return std::to_string(std::lround(passed.count())) + " s";
}

std::string importing(const std::string& module) {
  return module.empty() ? "while the worker started" : "while the worker imported " + module;
}

}  // namespace

void RunPosition::take(const Event& event) {
  if (const auto* test = std::get_if<event::Test>(&event)) {
    const std::lock_guard lock(mutex_);
    if (test->when == "start") {
      nodeid_ = test->nodeid;
      since_ = Clock::now();
    }
    if (test->when == "teardown") nodeid_.clear();
  } else if (const auto* warming = std::get_if<event::Warming>(&event)) {
    move_to(importing(warming->module));
  } else if (std::holds_alternative<event::Queued>(event)) {
    move_to("while the run waited for its turn");
  } else if (std::holds_alternative<event::Started>(event)) {
    move_to("while no test was running");
  }
}

void RunPosition::move_to(std::string doing) {
  const std::lock_guard lock(mutex_);
  doing_ = std::move(doing);
}

std::string RunPosition::text() const {
  const std::lock_guard lock(mutex_);
  const auto doing = nodeid_.empty() ? doing_ : "running " + nodeid_ + " for " + seconds_since(since_);
  return "after " + seconds_since(begin_) + ", " + doing;
}

}  // namespace stest
