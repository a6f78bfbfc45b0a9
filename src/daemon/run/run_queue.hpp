#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "daemon/run/run.hpp"
#include "daemon/run/running_tests.hpp"

namespace stest {

/// How many runs may be active if the user has not said so: as many as there are processors, but at least
/// two, so that none waits for one other. The resident process does one at a time.
int default_concurrency(const Config& config);

/// The waiting and active runs of the daemon, in the order of their arrival. The `concurrency` of the first
/// waiting run decides how many may be active when it starts. Assigns the ids, from 1.
class RunQueue {
 public:
  struct View {
    std::shared_ptr<Run> run;
    int position = 0;  ///< 1 is next; 0: the run is active.
    RunningTests tests = {};
    int pid = 0;  ///< The process that runs the tests; 0 before it exists.
    bool is_silent = false;
    std::optional<std::chrono::system_clock::time_point> started = {};  ///< When its turn came.
  };

  /// Adds a run. A program begins at once, and no run waits for it: a run may have started it, and wait for
  /// it. Errors: `daemon_unavailable` after `close`; `busy`, with the active runs, if it would have to wait
  /// and `wait` is false.
  Result<std::shared_ptr<Run>> admit(RunRequest request, Config config, std::vector<Fd> fds = {});

  /// Blocks until it is the turn of `run`. If the run must wait, calls `waiting` with its position (1 is
  /// next) at once and then at least every `liveness_interval`. Returns false if `waiting` returns false.
  bool await_turn(const Run& run, const std::function<bool(int)>& waiting);

  /// Sets whether an active run has been silent for `stuck_after`.
  void set_silent(const Run& run, bool is_silent);

  /// Notes which test an active run is at.
  void take(const Run& run, const event::Test& report);

  /// Sets the process of an active run.
  void set_pid(const Run& run, int pid);

  /// Removes a waiting or active run. Does nothing if it was removed already.
  void leave(const Run& run);

  std::shared_ptr<Run> find(std::uint64_t id) const;
  std::vector<View> list() const;
  bool empty() const;

  /// Admits no more runs.
  void close();
  void cancel_all(CancelHow how, CancelReason reason);
  /// Waits for at most `limit`. Returns whether all runs have left.
  bool wait_until_empty(std::chrono::milliseconds limit) const;

 private:
  Error busy() const;
  void find_parent(const std::shared_ptr<Run>& run);
  std::size_t places_taken(const Config& config) const;
  bool has_room_for(const Config& config) const;
  bool start_allowed(const Run& run) const;
  bool start_if_first(const Run& run);
  void start(const std::shared_ptr<Run>& run);
  int position(const Run& run) const;

  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  std::deque<std::shared_ptr<Run>> waiting_;
  std::map<std::uint64_t, View> active_;
  std::uint64_t last_id_ = 0;
  bool closed_ = false;
};

/// Whether a run with `config` has to wait for this active one. A run that is silent or waits for input does
/// not count: it waits for a person or a network, and not for a processor. But the resident process does one
/// run at a time.
bool takes_place(const RunQueue::View& active, const Config& config);

}  // namespace stest
