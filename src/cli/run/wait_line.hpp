#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "stest/messages.hpp"

namespace stest {

/// Decides which line to show while a run waits to begin, and when. Short waits show nothing. On an animated
/// console one line then changes. Otherwise lasting lines follow, each after four times as long. All times
/// are counted from the request, and come from the caller.
class WaitLine {
 public:
  using Elapsed = std::chrono::milliseconds;

  struct Line {
    std::string text;
    bool brief = false;  ///< The next output replaces it.
  };

  explicit WaitLine(bool animated) : animated_(animated) {}

  void queued(const event::Queued& event, Elapsed now);
  void warming(const event::Warming& event, Elapsed now);
  /// The wait is over.
  void ended() { state_ = State::none; }

  bool is_waiting() const { return state_ != State::none; }
  /// The line to show now, if any.
  std::optional<Line> due(Elapsed now);

 private:
  enum class State { none, queued, warming };

  void enter(State state, Elapsed now);
  std::string queued_text(Elapsed now) const;
  std::string warming_text(Elapsed now) const;

  bool animated_;
  State state_ = State::none;
  Elapsed since_{0};  ///< When the state began.
  Elapsed heard_{0};  ///< When the last event came.
  Elapsed next_{0};   ///< When the next lasting line is due.
  event::Queued queued_;
  std::string module_;
  std::optional<Elapsed> expected_;  ///< When the wait will be over.
};

}  // namespace stest
