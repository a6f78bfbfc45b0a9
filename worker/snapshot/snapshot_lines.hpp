#pragma once

#include <sys/types.h>

#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "worker/python/preload.hpp"
#include "worker/runner/flight_recorder.hpp"
#include "worker/snapshot/stand_ins.hpp"
#include "worker/snapshot/value_process.hpp"
#include "worker/snapshot/written_pages.hpp"

namespace stest {

/// The runs done ahead for the last requests, in case they come again. Each request has a line of processes
/// that have done the first part of its run and wait (see `Snapshot`). The last process of a line has
/// collected the tests, unless something has stopped it, and becomes the run. Lines are made one after the
/// other while no run waits.
class SnapshotLines {
 public:
  /// Lines begin in `values` if that is ready, else in this process. `leave` is called in the child, and must
  /// call `close_in_child`.
  SnapshotLines(const Preloader& preloader, ValueProcess& values, std::function<void()> leave)
      : preloader_(preloader), values_(values), leave_(std::move(leave)) {}

  /// Remembers a request that has come, here or to plain pytest in place of this worker.
  void note(const protocol::RunTest& request, const std::vector<Fd>& fds);
  /// Notes that the run with this id would not have noticed if CUDA had been initialised ahead of it.
  void likes_cuda_ahead(std::uint64_t id);

  /// `may`: no run waits, so lines may go on. Otherwise a run has come, and processes that still collect end.
  void prime(bool may);
  /// Whether no run has come since lines were allowed to go on.
  bool is_allowed() const { return is_allowed_; }

  /// Gives the run to the deepest process that passes validation. Nothing: there is none.
  std::optional<Forked> take(const protocol::RunTest& request, const std::vector<Fd>& fds);

  /// The number of requests that have a line.
  static constexpr std::size_t most = 2;
  /// Until `prime` is called, more are kept: the run that has come may begin in a line of another request.
  static constexpr std::size_t most_noted = 2 * most;
  /// The descriptors to poll; negative ones do not count.
  std::vector<int> fds() const;
  /// Handles the messages of the processes and their ends.
  void attend();
  /// The state of the lines for `stest status`.
  protocol::Snapshots state() const;
  /// Ends all processes. `prime` begins the lines again.
  void end();
  void close_in_child();
  std::set<pid_t> pids() const;

 private:
  struct Stage {
    SnapshotProcess process;
    FlightRecorder recorder;
    bool is_snapshot =
        false;  ///< It stays, and forks serve runs. Otherwise it goes on, or waits for the run.
    bool is_pinned = false;
    bool any_args = false;  ///< It may serve a request that differs only in its arguments.
    std::uint64_t position_ms = 0;
  };

  struct Entry {
    protocol::RunTest request;
    StandIns streams;            ///< Stand-ins like the streams of the request.
    std::list<Stage> line = {};  ///< In the order of the run.
    Fd inotify = {};             ///< Also open in the processes; see `Snapshot`.
    bool waits = false;          ///< The last process waits to become the run.
    bool goes_on = false;        ///< The last process goes on, or is about to be forked.
    std::string refused = {};    ///< Why the last process could not go further; else empty.
    int forks = 0;               ///< Since the last `prime`.
    int early = 0;               ///< Processes in succession that were outdated before they had collected.
    int refusals = 0;            ///< Failures in succession.
    int runs = 0;                ///< Since the last failure.
    std::uint64_t begun_ns = 0;  ///< When the last request came, by `file_reads::now_ns`.
    std::optional<std::uint64_t> likes_cuda_since_ns = {};
    bool may_hold_cuda = false;  ///< The last process may have initialised CUDA.
    bool never_cuda = false;     ///< A process that might have initialised CUDA ahead has failed.
    std::shared_ptr<WrittenPages> written = WrittenPages::create();
  };

  std::optional<Forked> take_with_other_args(const protocol::RunTest& request, const std::vector<Fd>& fds);
  void end(Stage stage);
  void end_oldest();
  /// Reaps those of `ending_` that have ended, or waits for `all`.
  void collect(bool all);
  Entry* find(const protocol::RunTest& request, const std::vector<Fd>& fds);
  bool may_fork(const Entry& entry) const;
  void fork_next();
  /// Lets the last process of the line go on, or begins the line.
  void go_on(Entry& entry);
  std::optional<Stage> begin(Entry& entry);
  std::optional<std::uint64_t> cuda_for(const Entry& entry) const;
  void attend(Entry& entry);
  void take_in(Entry& entry, Stage& stage, SnapshotProcess::Said said);
  static void thin_out(Entry& entry, std::list<Stage>& removed);
  void has_ended(Entry& entry, const Stage& stage);
  void end_last(Entry& entry);
  static void waits_no_more(Entry& entry);
  void end(Entry& entry);
  /// Gives the run to this process, or to a fork of it if it is a snapshot. Nothing: it cannot serve the run.
  static std::optional<Forked> begins(Stage& stage, const protocol::RunTest& request,
                                      const std::vector<Fd>& fds);

  const Preloader& preloader_;
  ValueProcess& values_;
  std::function<void()> leave_;
  std::list<Entry> entries_;           ///< The last request first.
  std::list<SnapshotProcess> ending_;  ///< Killed, and reaped later, so that no run has to wait.
  bool is_allowed_ = false;
};

}  // namespace stest
