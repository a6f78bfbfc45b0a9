#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "stest/messages.hpp"

namespace stest {

/// Decides what to tell a user who waits for a run to begin, and when: nothing about short waits,
/// one lasting line where lines last (a log), a line that changes where they can (a terminal). Knows
/// neither clock nor screen: it is asked with the time that has passed since the request.
class WaitNotice {
 public:
  using Elapsed = std::chrono::milliseconds;

  struct Line {
    std::string text;
    bool brief = false;  ///< To be replaced by what comes next.
  };

  explicit WaitNotice(bool on_terminal) : on_terminal_(on_terminal) {}

  void queued(const event::Queued& event);
  void warming(const event::Warming& event);
  /// The wait is over.
  void ended();

  bool is_waiting() const { return state_ != State::none; }
  /// The line to show now, if any.
  std::optional<Line> due(Elapsed elapsed);

 private:
  enum class State { none, queued, warming };

  std::optional<Line> due_queued(Elapsed elapsed);
  std::optional<Line> due_warming(Elapsed elapsed);

  bool on_terminal_;
  State state_ = State::none;
  int position_ = 0;
  std::string module_;
  bool said_queued_ = false;
  bool said_warming_ = false;
};

}  // namespace stest
