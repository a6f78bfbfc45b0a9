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

namespace stest {

/// The runs of the daemon, first come, first served: those that wait and those that run, as many at
/// once as the first waiting one's `concurrency` allows. Gives out the ids, from 1.
class RunQueue {
 public:
  struct View {
    std::shared_ptr<Run> run;
    int position = 0;    ///< 1 is next; 0: it runs.
    std::string nodeid;  ///< The test that runs, if one does.
    /// Since when the run, and its test, have been running.
    std::optional<std::chrono::system_clock::time_point> started = {};
    std::optional<std::chrono::system_clock::time_point> test_started = {};
  };

  /// Takes a run in. Errors: `daemon_unavailable` after `close`; `busy`, naming what runs, where it would
  /// have to wait and does not want to.
  Result<std::shared_ptr<Run>> admit(RunRequest request, Config config);

  /// Blocks until it is `run`'s turn. Calls `waiting` with the position (1 is next) at once and then at
  /// least every `liveness_interval`; when that returns false, gives up and returns false.
  bool await_turn(const Run& run, const std::function<bool(int)>& waiting);

  /// Notes which test a running run is at.
  void set_nodeid(const Run& run, std::string nodeid);

  /// Takes a run out, whether it waits or runs. Harmless if it is out already.
  void leave(const Run& run);

  std::shared_ptr<Run> find(std::uint64_t id) const;
  std::vector<View> list() const;
  bool empty() const;

  /// Admits nothing more.
  void close();
  void cancel_all(CancelHow how, CancelReason reason);
  /// Whether all runs have left before `limit` was over.
  bool wait_until_empty(std::chrono::milliseconds limit) const;

 private:
  Error busy() const;
  bool has_room_for(const Config& config) const;
  bool start_allowed(const Run& run) const;
  bool start_if_first(const Run& run);
  int position(const Run& run) const;

  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  std::deque<std::shared_ptr<Run>> waiting_;
  std::map<std::uint64_t, View> active_;
  std::uint64_t last_id_ = 0;
  bool closed_ = false;
};

}  // namespace stest
