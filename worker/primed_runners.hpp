#pragma once

#include <sys/types.h>

#include <array>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "branch.hpp"
#include "flight_recorder.hpp"
#include "preload.hpp"
#include "written_pages.hpp"

namespace stest {

/// Runners that were forked ahead, for the last requests: configured and collected, each waits for the same
/// request to come again (see `PrimedRunner`). They are forked while no run waits, one after the other. One
/// more, the spare, has done nothing yet, and takes any other request.
class PrimedRunners {
 public:
  /// `is_elsewhere` tells whether runs in this mode are forked from another process now: so are the runners
  /// ahead of them. `leave`, called in the child, is to `abandon` this too.
  PrimedRunners(const Preloader& preloader, std::function<bool(protocol::RunMode)> is_elsewhere,
                std::function<void()> leave)
      : preloader_(preloader), is_elsewhere_(std::move(is_elsewhere)), leave_(std::move(leave)) {}

  /// Takes over the requests in this mode that another one knows.
  void learn(const PrimedRunners& other, protocol::RunMode mode);
  /// A request has come, and is remembered.
  void note(const protocol::RunTest& request, const std::vector<Fd>& fds);
  /// The run with this id has ended; it would not have told whether CUDA had been initialised ahead of it.
  void likes_cuda_ahead(std::uint64_t id);

  /// No run waits: forks ahead what is not there. Or one has come (not `may`): what still collects makes way.
  void prime(bool may);
  /// Whether no run has come since.
  bool is_allowed() const { return is_allowed_; }

  /// A process whose run has begun.
  struct Taken {
    pid_t pid;
    FlightRecorder recorder;
  };
  /// Gives the run to a runner that has waited for just that, or, where there is none or something that it
  /// has looked at has changed, to the spare; nothing where that is not there either.
  std::optional<Taken> take(const protocol::RunTest& request, const std::vector<Fd>& fds);

  /// What to poll; -1 is none.
  static constexpr std::size_t most = 2;
  std::array<int, most> fds() const;
  /// Takes in what they said, and their ends; ends those that are now forked elsewhere.
  void attend();
  /// How things stand with those that are forked here.
  protocol::Primed state() const;
  /// Ends them. They are forked anew when `prime` is called.
  void end();
  void abandon();
  std::set<pid_t> pids() const;

 private:
  struct Entry {
    protocol::RunTest request;
    bool merged = false;  ///< Its stdout and stderr are one file.
    std::optional<Branch> branch = {};
    std::optional<FlightRecorder> recorder = {};
    Fd inotify = {};  ///< Its own, too; closed when nobody waits.
    bool waits = false;
    std::string refused = {};
    int forks = 0;              ///< Since the last `prime`.
    int early = 0;              ///< That were outdated before they had collected, one after the other.
    int refusals = 0;           ///< One after the other.
    int runs = 0;               ///< Since the last of them.
    std::int64_t begun_ns = 0;  ///< When the last request came, by the clock of the files.
    std::optional<std::int64_t> likes_cuda_since_ns = {};
    bool may_hold_cuda = false;  ///< The process.
    bool never_cuda = false;     ///< A process that was to initialise it ahead has failed.
    std::shared_ptr<WrittenPages> written = WrittenPages::create();
  };

  struct Spare {
    std::optional<protocol::RunMode> mode = {};  ///< Of the last request, where it allowed this.
    std::optional<Branch> branch = {};
    std::optional<FlightRecorder> recorder = {};
    std::shared_ptr<WrittenPages> written = WrittenPages::create();
  };

  std::optional<Taken> take_primed(const protocol::RunTest& request, const std::vector<Fd>& fds);
  std::optional<Taken> take_spare(const protocol::RunTest& request, const std::vector<Fd>& fds);
  static Taken let_go(std::optional<Branch>& branch, std::optional<FlightRecorder>& recorder);
  /// Whether the next run may be one for a spare of this process.
  bool wants_spare() const { return spare_.mode && !is_elsewhere_(*spare_.mode); }
  void fork_spare();
  void end(std::optional<Branch>& branch);
  /// Of those that are `ending_`: what has ended by now, or all.
  void collect(bool all);
  Entry* find(const protocol::RunTest& request, const std::vector<Fd>& fds);
  bool is_here(const Entry& entry) const { return !is_elsewhere_(entry.request.mode); }
  bool may_fork(const Entry& entry) const;
  void fork_next();
  void fork(Entry& entry);
  std::optional<std::int64_t> cuda_for(const Entry& entry) const;
  void attend(Entry& entry);
  void has_ended(Entry& entry);
  void end(Entry& entry);
  static bool begins(Branch& branch, const protocol::RunTest& request, const std::vector<Fd>& fds);

  const Preloader& preloader_;
  std::function<bool(protocol::RunMode)> is_elsewhere_;
  std::function<void()> leave_;
  std::list<Entry> entries_;  ///< The last request first.
  Spare spare_;
  std::list<Branch> ending_;  ///< Killed, and not waited for: a run may be about to begin.
  bool is_allowed_ = false;
};

}  // namespace stest
