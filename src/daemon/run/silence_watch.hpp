#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "common/os/fd.hpp"
#include "daemon/run/running_tests.hpp"
#include "daemon/run/stuck_watch.hpp"
#include "stest/config.hpp"
#include "stest/messages.hpp"

namespace stest {

/// Detects the silence of a run: decides when to ask its process for its stacks, and makes the report when
/// these have come, or after a time limit. Owns the daemon's end of the stack pipe.
class SilenceWatch {
 public:
  using Clock = StuckWatch::Clock;

  /// The time that a process has to answer.
  static constexpr std::chrono::seconds patience{2};

  SilenceWatch(const Config& config, Clock::time_point now);

  /// Makes a pipe for a new process. Returns the end that the process writes to.
  Result<Fd> connect();
  /// The descriptor to poll; -1 if there is none.
  int fd() const { return pipe_.get(); }
  /// Reads what has come.
  void read();

  /// The run has shown a sign of life.
  void heard(Clock::time_point now);

  /// Asks for a report, however long the silence is.
  void want() { wanted_ = true; }

  /// Whether it is time to ask the process for its stacks.
  bool must_ask(Clock::time_point now);
  /// The report, when it is complete, or late. `is_complete`: nothing is missing but the process's answer.
  std::optional<event::Stuck> report(const RunningTests& tests, Clock::time_point now,
                                     bool is_complete = true);
  /// Whether the silence is longer than `hang_timeout`.
  bool is_hung(Clock::time_point now) const;

  /// The time from `now` until one of these functions may have a new result; nothing if never.
  std::optional<Clock::duration> remaining(Clock::time_point now) const;

 private:
  StuckWatch stuck_;
  Clock::duration limit_;  ///< `hang_timeout`; 0: no limit.
  Clock::time_point last_;
  std::optional<Clock::time_point> asked_;
  bool wanted_ = false;
  Fd pipe_;
  std::string stack_;
};

}  // namespace stest
