#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "cli/run/wait_line.hpp"
#include "cli/terminal/console.hpp"

namespace stest {

/// Whether pytest's arguments ask for (almost) no output: "-qq", or "-q" twice.
bool is_very_quiet(const std::vector<std::string>& pytest_args);

/// Shows a run's events to a person. Borrows the console. `show` is called by one thread; a second
/// one, started only when the run has to wait, keeps the notice about that up to date.
class Output {
 public:
  Output(Console& console, bool very_quiet);
  ~Output();
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  /// False when the run's output cannot be written any more.
  bool show(const Event& event);

  /// The run waits no longer, whatever comes of it.
  void end_waiting();

 private:
  bool show_kind(const event::Queued& event);
  bool show_kind(const event::Warming& event);
  bool show_kind(const event::Started& event);
  bool show_kind(const event::Output& event);
  bool show_kind(const event::Test&) { return true; }
  bool show_kind(const event::Stuck& event);
  bool show_kind(const event::Notice& event);
  bool show_kind(const event::Done& event);

  WaitLine::Elapsed elapsed() const;
  void begin_waiting();
  void tick();

  Console& console_;
  bool very_quiet_;
  std::string last_stack_;
  std::chrono::steady_clock::time_point begin_;

  std::mutex mutex_;  ///< Guards `notice_` and `stopping_`.
  std::condition_variable wake_;
  WaitLine notice_;
  bool stopping_ = false;
  std::thread ticker_;
};

}  // namespace stest
