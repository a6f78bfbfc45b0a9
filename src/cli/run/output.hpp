#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "cli/run/crash_fold.hpp"
#include "cli/run/wait_line.hpp"
#include "cli/terminal/console.hpp"

namespace stest {

/// Whether pytest's arguments suppress almost all output: "-qq", or "-q" twice.
bool is_very_quiet(const std::vector<std::string>& pytest_args);

/// Shows a run's events to the user. Borrows the console. `show` must be called by one thread. While the run
/// waits, a second thread keeps the wait line up to date.
class Output {
 public:
  Output(Console& console, bool very_quiet);
  ~Output();
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  /// False if the run's output cannot be written any more.
  bool show(const Event& event);

  /// The run does not wait any more.
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
  void end_output();
  void begin_waiting();
  void tick();

  Console& console_;
  bool very_quiet_;
  CrashFold out_fold_;
  CrashFold err_fold_;
  std::string last_stack_;
  std::chrono::steady_clock::time_point begin_;

  std::mutex mutex_;  ///< Guards `wait_line_` and `stopping_`.
  std::condition_variable wake_;
  WaitLine wait_line_;
  bool stopping_ = false;
  std::thread ticker_;
};

}  // namespace stest
