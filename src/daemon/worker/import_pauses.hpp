#pragma once

#include <atomic>
#include <functional>
#include <list>
#include <thread>

#include "common/os/fd.hpp"

namespace stest {

/// Suspends the imports of a worker while processes that run tests cold live. Not thread-safe.
class ImportPauses {
 public:
  ImportPauses();
  /// Ends all pauses.
  ~ImportPauses();

  /// Calls `suspend(true)` now, and `suspend(false)` in another thread when process `pid` has ended. Does
  /// nothing if that cannot be seen (Linux before 5.3).
  void begin(int pid, std::function<void(bool)> suspend);

 private:
  struct Pause {
    Fd process;
    std::atomic<bool> is_over = false;
    std::thread thread = {};
  };
  Fd end_;  ///< Readable when all pauses are to end.
  std::list<Pause> pauses_;
};

}  // namespace stest
