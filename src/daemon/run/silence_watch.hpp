#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "common/os/fd.hpp"
#include "daemon/run/stuck_watch.hpp"
#include "stest/config.hpp"
#include "stest/messages.hpp"

namespace stest {

/// Watches a run that may be silent for too long: says when its process is to be asked for its stacks, and
/// makes the report once these have come, or nothing has come of it for a while. Owns the daemon's end of the
/// pipe on which stacks come.
class SilenceWatch {
 public:
  using Clock = StuckWatch::Clock;

  /// What a process gets to answer.
  static constexpr std::chrono::seconds patience{2};

  SilenceWatch(const Config& config, Clock::time_point now);

  /// Makes a pipe for another process; returns the end that it is to write to.
  Result<Fd> connect();
  /// What to poll; -1 where there is nothing.
  int fd() const { return pipe_.get(); }
  /// Takes in what has come.
  void read();

  /// Something came from the run.
  void heard(Clock::time_point now);
  void test_started(Clock::time_point now) { test_since_ = now; }

  /// Somebody wants a report, however long the silence is.
  void want() { wanted_ = true; }

  /// Whether it is time to ask the process for its stacks.
  bool must_ask(Clock::time_point now);
  /// The report, once there is one to make. `nodeid`: the test that runs, or empty.
  std::optional<event::Stuck> report(const std::string& nodeid, Clock::time_point now);
  /// Whether the silence is longer than the run may be silent.
  bool is_hung(Clock::time_point now) const;

  /// How long from `now` until one of these may have something to say; nothing if never.
  std::optional<Clock::duration> remaining(Clock::time_point now) const;

 private:
  StuckWatch stuck_;
  Clock::duration limit_;  ///< Of a hung run; 0 is none.
  Clock::time_point last_;
  Clock::time_point test_since_;
  std::optional<Clock::time_point> asked_;
  bool wanted_ = false;
  Fd pipe_;
  std::string stack_;
};

}  // namespace stest
