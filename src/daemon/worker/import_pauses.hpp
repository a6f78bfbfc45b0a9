#pragma once

#include <atomic>
#include <functional>
#include <list>
#include <optional>
#include <thread>

#include "common/os/fd.hpp"

namespace stest {

/// Suspends the imports of a worker while a process that runs tests cold needs all processors. A lower
/// priority would do the same, but without privileges a process cannot raise it again for the runs that it
/// forks. Not thread-safe.
class ImportPauses {
 public:
  /// `count_running` returns how many threads of the machine run or wait for a processor, less the caller's;
  /// nothing if that is not known, which counts as many.
  explicit ImportPauses(std::function<std::optional<int>()> count_running = running_threads);
  /// Ends all pauses.
  ~ImportPauses();

  /// From now on until process `pid` has ended, another thread calls `suspend(true)` when more than
  /// `processors` threads run, and `suspend(false)` when fewer do, and at the end. `suspend` returns whether
  /// the imports are suspended. Does nothing if the end cannot be seen (Linux before 5.3).
  void begin(int pid, int processors, std::function<bool(bool)> suspend);

 private:
  static std::optional<int> running_threads();

  struct Pause {
    Fd process;
    std::atomic<bool> is_over = false;
    std::thread thread = {};
  };
  std::function<std::optional<int>()> count_running_;
  Fd end_;  ///< Readable when all pauses are to end.
  std::list<Pause> pauses_;
};

}  // namespace stest
