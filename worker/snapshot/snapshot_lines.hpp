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

/// What is done ahead for the last requests, should they come again. Each has a line of processes that have
/// gone some way along its run and wait there (see `Snapshot`); the last one, if nothing stopped it, has
/// collected the tests, and becomes the run. They are made while no run waits, one line after the other.
class SnapshotLines {
 public:
  /// Lines begin in `values` while that is ready, else in this process. `leave`, called in the child, is to
  /// `close_in_child` this too.
  SnapshotLines(const Preloader& preloader, ValueProcess& values, std::function<void()> leave)
      : preloader_(preloader), values_(values), leave_(std::move(leave)) {}

  /// A request has come, and is remembered.
  void note(const protocol::RunTest& request, const std::vector<Fd>& fds);
  /// The run with this id has ended; it would not have told whether CUDA had been initialised ahead of it.
  void likes_cuda_ahead(std::uint64_t id);

  /// No run waits: forks ahead what is not there. Or one has come (not `may`): what still collects makes way.
  void prime(bool may);
  /// Whether no run has come since.
  bool is_allowed() const { return is_allowed_; }

  /// Gives the run to the process that has come farthest along its way, of those for which nothing that they
  /// have looked at has changed. Nothing: there is none.
  std::optional<Forked> take(const protocol::RunTest& request, const std::vector<Fd>& fds);

  /// What to poll; -1 is none.
  static constexpr std::size_t most = 2;
  std::vector<int> fds() const;
  /// Takes in what they said, and their ends.
  void attend();
  /// How things stand with them.
  protocol::Snapshots state() const;
  /// Ends them. They are forked anew when `prime` is called.
  void end();
  void close_in_child();
  std::set<pid_t> pids() const;

 private:
  struct Stage {
    SnapshotProcess process;
    FlightRecorder recorder;
    bool is_snapshot = false;  ///< It stays, and forks serve runs; else it goes on, or waits to become one.
    bool is_pinned = false;
    bool any_args = false;  ///< It may serve a request that differs in its arguments alone.
    std::uint64_t position_ms = 0;
  };

  struct Entry {
    protocol::RunTest request;
    StandIns streams;            ///< Like its own.
    std::list<Stage> line = {};  ///< In the order of the way.
    Fd inotify = {};             ///< Theirs, too; closed when nobody waits.
    bool waits = false;          ///< The last of them has collected the tests.
    bool goes_on = false;        ///< The last of them is under way, or about to be forked.
    std::string refused = {};
    int forks = 0;               ///< Since the last `prime`.
    int early = 0;               ///< That were outdated before they had collected, one after the other.
    int refusals = 0;            ///< One after the other.
    int runs = 0;                ///< Since the last of them.
    std::uint64_t begun_ns = 0;  ///< When the last request came, by the clock of the files.
    std::optional<std::uint64_t> likes_cuda_since_ns = {};
    bool may_hold_cuda = false;  ///< The process.
    bool never_cuda = false;     ///< A process that was to initialise it ahead has failed.
    std::shared_ptr<WrittenPages> written = WrittenPages::create();
  };

  std::optional<Forked> take_with_other_args(const protocol::RunTest& request, const std::vector<Fd>& fds);
  void end(Stage stage);
  /// Of those that are `ending_`: what has ended by now, or all.
  void collect(bool all);
  Entry* find(const protocol::RunTest& request, const std::vector<Fd>& fds);
  bool may_fork(const Entry& entry) const;
  void fork_next();
  /// Lets the last of its line go on, or has a first one begin.
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
  /// The run's process, if this one, or a fork of it, has begun the run.
  static std::optional<Forked> begins(Stage& stage, const protocol::RunTest& request,
                                      const std::vector<Fd>& fds);

  const Preloader& preloader_;
  ValueProcess& values_;
  std::function<void()> leave_;
  std::list<Entry> entries_;           ///< The last request first.
  std::list<SnapshotProcess> ending_;  ///< Killed, and not waited for: a run may be about to begin.
  bool is_allowed_ = false;
};

}  // namespace stest
