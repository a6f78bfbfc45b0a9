#include "cli/run/wait_line.hpp"

#include <array>
#include <cstdio>

namespace stest {
namespace {

using namespace std::chrono_literals;
using Elapsed = WaitLine::Elapsed;

constexpr auto brief_after = 500ms;
constexpr auto lasting_after = 2000ms;
constexpr int growth = 4;

Elapsed as_elapsed(double seconds) {
  return std::chrono::round<Elapsed>(std::chrono::duration<double>(seconds));
}

std::string seconds(Elapsed time) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.1f s", std::chrono::duration<double>(time).count());
  return text.data();
}

/// "run 3: stest -x tests, at tests/test_x.py::test_y"
std::string in_words(const event::Running& run) {
  auto text = "run " + std::to_string(run.id) + ": stest";
  for (const auto& arg : run.args) text += " " + arg;
  return run.nodeid.empty() ? text : text + ", at " + run.nodeid;
}

std::string place(int position) {
  return position <= 1 ? "next in the queue" : "number " + std::to_string(position) + " in the queue";
}

}  // namespace

void WaitLine::queued(const event::Queued& event, Elapsed now) {
  enter(State::queued, now);
  queued_ = event;
}

void WaitLine::warming(const event::Warming& event, Elapsed now) {
  enter(State::warming, now);
  module_ = event.module;
  expected_.reset();
  if (event.expected_s) expected_ = now + as_elapsed(*event.expected_s - event.elapsed_s);
}

void WaitLine::enter(State state, Elapsed now) {
  heard_ = now;
  if (state_ == state) return;
  state_ = state;
  since_ = now;
  next_ = lasting_after;
}

std::optional<WaitLine::Line> WaitLine::due(Elapsed now) {
  if (state_ == State::none) return std::nullopt;
  const auto waited = now - since_;
  if (waited < (animated_ ? brief_after : next_)) return std::nullopt;
  if (!animated_) next_ *= growth;
  return Line{state_ == State::queued ? queued_text(now) : warming_text(now), animated_};
}

std::string WaitLine::queued_text(Elapsed now) const {
  const auto waited = seconds(now - since_);
  if (queued_.running.empty()) return place(queued_.position) + ", " + waited;
  const auto& first = queued_.running.front();
  const auto more = queued_.running.size() - 1;
  // A terminal may have room only for the first part.
  return "waiting " + waited + " for run " + std::to_string(first.id) + " (" +
         seconds(as_elapsed(first.seconds) + now - heard_) + " so far)" +
         (more == 0 ? "" : " and " + std::to_string(more) + " more") +
         "; `stest run --cold` does not wait; " + place(queued_.position) + "; " + in_words(first);
}

std::string WaitLine::warming_text(Elapsed now) const {
  auto text =
      (module_.empty() ? "starting the worker" : "importing " + module_) + ", " + seconds(now - since_);
  if (expected_ && *expected_ > now) text += " of about " + seconds(*expected_ - since_);
  return text;
}

}  // namespace stest
