#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <vector>

#include "daemon/run/shown_output.hpp"
#include "stest/messages.hpp"

namespace stest {

/// Holds back the events of a run until it is settled: if it starts over or runs cold, its output is written
/// again. Holds at most 16 MiB, and at most one second after the first test has started. Output that was
/// shown is not shown twice. Not thread-safe.
class HeldEvents {
 public:
  using Clock = std::chrono::steady_clock;

  explicit HeldEvents(EventSink show) : show_(std::move(show)) {}

  /// Shows an event, or holds it back. `size`: bytes.
  void add(Event event, std::size_t size);
  void test_started(Clock::time_point now);
  /// Shows what is held if the first test started long ago.
  void tick(Clock::time_point now);

  /// The run cannot start over any more.
  void settle();
  /// The run starts over: drops what is held.
  void start_over();
  /// The run is over: shows what is held, without the output if the run is done cold.
  void finish(bool is_cold);

 private:
  void release();
  void show(const Event& event);

  EventSink show_;
  std::vector<Event> held_;
  std::size_t bytes_ = 0;
  std::optional<Clock::time_point> test_since_;  ///< When the first test started.
  bool holds_back_ = true;
  std::array<ShownOutput, 2> shown_;  ///< By stream.
};

}  // namespace stest
