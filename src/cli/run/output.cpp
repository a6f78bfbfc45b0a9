#include "cli/run/output.hpp"

#include <cmath>
#include <string_view>
#include <utility>

#include "cli/run/stack_text.hpp"
#include "cli/run/unfinished_text.hpp"

namespace stest {
namespace {

using namespace std::chrono_literals;

constexpr auto tick_period = 100ms;

/// The number of "q" in one argument. A cluster ("-xq") is read up to the first flag that takes a value,
/// because the rest is that value ("-kqq").
int count_quiet(std::string_view arg) {
  if (arg == "--quiet") return 1;
  if (arg.size() < 2 || arg[0] != '-' || arg[1] == '-') return 0;
  int count = 0;
  for (const char flag : arg.substr(1)) {
    if (std::string_view("hlqsvx").find(flag) == std::string_view::npos) break;
    if (flag == 'q') ++count;
  }
  return count;
}

std::string whole_seconds(double seconds) { return std::to_string(std::lround(seconds)) + " s"; }

std::string stuck_text(const event::Stuck& event) {
  auto what = event.nodeid.empty() ? "no test is running" : "running " + event.nodeid;
  if (event.test_seconds > 0) what += " for " + whole_seconds(event.test_seconds);
  return "no output for " + whole_seconds(event.seconds) + "; " + what + " (the run goes on)";
}

}  // namespace

bool is_very_quiet(const std::vector<std::string>& pytest_args) {
  int count = 0;
  for (const auto& arg : pytest_args) count += count_quiet(arg);
  return count >= 2;
}

Output::Output(Console& console, bool very_quiet)
    : console_(console),
      very_quiet_(very_quiet),
      begin_(std::chrono::steady_clock::now()),
      wait_line_(console.is_animated()) {}

Output::~Output() {
  end_waiting();
  end_output();
}

bool Output::show(const Event& event) {
  return std::visit([this](const auto& kind) { return show_kind(kind); }, event);
}

bool Output::show_kind(const event::Queued& event) {
  {
    const std::lock_guard lock(mutex_);
    wait_line_.queued(event, elapsed());
  }
  begin_waiting();
  return true;
}

bool Output::show_kind(const event::Warming& event) {
  {
    const std::lock_guard lock(mutex_);
    wait_line_.warming(event, elapsed());
  }
  begin_waiting();
  return true;
}

bool Output::show_kind(const event::Started&) {
  end_waiting();
  return true;
}

bool Output::show_kind(const event::Output& event) {
  end_waiting();
  auto& fold = event.stream == Stream::out ? out_fold_ : err_fold_;
  return console_.write(event.stream, fold.take(event.data));
}

bool Output::show_kind(const event::Stuck& event) {
  auto text = stuck_text(event);
  if (!event.stack.empty()) {
    const bool is_same = std::exchange(last_stack_, event.stack) == event.stack;
    text += is_same ? "; its stack is the same as before" : "\n" + stack_text(event.stack);
  }
  if (text.back() == '\n') text.pop_back();
  console_.say(text, Console::Tone::warning);
  return true;
}

bool Output::show_kind(const event::Notice& event) {
  if (!very_quiet_) console_.say(event.text);
  return true;
}

bool Output::show_kind(const event::Done& event) {
  end_waiting();
  end_output();
  if (event.exit_code == static_cast<int>(ExitCode::needs_cold)) return true;  // A notice has said so.
  if (!event.message.empty()) console_.say(Error{ErrorCode::internal, event.message, event.hint});
  if (event.unfinished) console_.say(unfinished_text(*event.unfinished));
  return true;
}

/// Shows what has been held back.
void Output::end_output() {
  console_.write(Stream::out, out_fold_.end());
  console_.write(Stream::err, err_fold_.end());
  console_.end_output();
}

WaitLine::Elapsed Output::elapsed() const {
  return std::chrono::floor<WaitLine::Elapsed>(std::chrono::steady_clock::now() - begin_);
}

void Output::begin_waiting() {
  if (!ticker_.joinable()) ticker_ = std::thread([this] { tick(); });
}

void Output::end_waiting() {
  if (!ticker_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    wait_line_.ended();
    stopping_ = true;
  }
  wake_.notify_one();
  ticker_.join();
  ticker_ = {};
  stopping_ = false;
  console_.clear_brief();
}

void Output::tick() {
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, tick_period, [this] { return stopping_; })) {
    const auto line = wait_line_.due(elapsed());
    if (!line) continue;
    if (line->brief) {
      console_.show_briefly(line->text);
    } else {
      console_.say(line->text);
    }
  }
}

}  // namespace stest
