#include "cli/wait_notice.hpp"

#include <utility>

namespace stest {
namespace {

using namespace std::chrono_literals;

constexpr auto queued_after = 500ms;
constexpr auto warming_after = 1000ms;

}  // namespace

void WaitNotice::queued(const event::Queued& event) {
  state_ = State::queued;
  position_ = event.position;
}

void WaitNotice::warming(const event::Warming& event) {
  state_ = State::warming;
  module_ = event.module;
}

void WaitNotice::ended() { state_ = State::none; }

std::optional<WaitNotice::Line> WaitNotice::due(Elapsed elapsed) {
  switch (state_) {
    case State::queued:
      return due_queued(elapsed);
    case State::warming:
      return due_warming(elapsed);
    case State::none:
      break;
  }
  return std::nullopt;
}

std::optional<WaitNotice::Line> WaitNotice::due_queued(Elapsed elapsed) {
  if (elapsed < queued_after || position_ < 1 || std::exchange(said_queued_, true)) return std::nullopt;
  return Line{"waiting for " + std::to_string(position_) + " other run" + (position_ == 1 ? "" : "s")};
}

std::optional<WaitNotice::Line> WaitNotice::due_warming(Elapsed elapsed) {
  if (elapsed < warming_after) return std::nullopt;
  const auto what = module_.empty() ? "starting the worker" : "importing " + module_;
  if (on_terminal_) return Line{what + " (" + std::to_string(elapsed / 1s) + " s)", true};
  if (std::exchange(said_warming_, true)) return std::nullopt;
  return Line{what + "…"};
}

}  // namespace stest
