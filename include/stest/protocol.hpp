#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "stest/config.hpp"
#include "stest/error.hpp"
#include "stest/file_state.hpp"
#include "stest/process_attributes.hpp"

/// The messages between daemon and worker: JSON Lines on a private socket pair.
/// `docs/protocol.md` describes them; `version` changes with them.
namespace stest::protocol {

inline constexpr int version = 17;

// ---- daemon → worker ----

/// A module that is not preloaded, and why.
struct NotPreloaded {
  std::string name;
  std::string reason;
};

/// Import these modules, in this order, then answer with `Ready`. `path` has folders to search after those of
/// `sys.path`.
struct Preload {
  std::vector<std::string> modules;
  std::vector<std::string> path;
  /// Modules that proved not preloadable before. If there are any, a fork tries out each module first.
  std::vector<NotPreloaded> not_preloadable = {};
};

/// Start a value process that holds these values for later runs in `RunMode::fork`. `Values` reports the
/// result. The process replaces the one before it, and no run waits for it.
struct HoldValues {
  struct Value {
    std::string key;
    std::string request;  ///< How to make it, in the worker's form, as a run has sent it.
  };
  std::vector<Value> values;
  Environment env;
};

/// Which process runs the tests.
enum class RunMode {
  fork = 0,      ///< A fork of the zygote, of the value process or of a snapshot.
  resident = 1,  ///< The resident process, run after run.
};

/// Run pytest, or a Python program. Five descriptors travel with the line (SCM_RIGHTS): stdin, stdout,
/// stderr, the event pipe and the stack pipe.
struct RunTest {
  std::uint64_t id = 0;
  std::vector<std::string> args;  ///< Of pytest, or of `python`.
  std::string cwd;
  Environment env;
  int umask = 022;
  RunMode mode = RunMode::fork;
  std::uint64_t memory_limit = 0;  ///< Of a resident process, in bytes; 0: no limit.
  bool prime = false;              ///< It may be served from a snapshot, and be done ahead; see `Prime`.
  std::optional<ProcessAttributes> process = {};  ///< Nothing: those of the worker.
  bool python = false;                            ///< It runs a program, as `python` does.
  std::vector<std::string> gpus = {};             ///< For the workers of pytest-xdist, in turn.
};

/// Plain pytest makes this run, because the worker still imports. It may come again, so the worker may do it
/// ahead. Three streams like those of the run travel with it, and what they need to stay as they are.
struct ExpectRun {
  RunTest run;
};

/// No run waits: the worker may do the last requests ahead, up to collected tests.
struct Prime {
  bool may =
      true;  ///< If false, no further run is done ahead until the next one, and no module is tried out.
};

/// No run has come for some time: end processes that wait for the next one, to free their memory. A run does
/// not need them, and the next `Prime` lets the worker do runs ahead again.
struct Shrink {
  bool all = false;  ///< Also the value process and the resident process, not only the snapshots.
};

/// From the zygote to a snapshot: go on ahead of the request, in a fork. The answer is `Snapshot`.
struct GoOn {
  bool is_last = false;  ///< Do not go on: this snapshot is the last process of its line.
  std::optional<std::uint64_t> likes_cuda_since_ns = {};  ///< See `prime_in_this_process`.
  /// To the value process: the request to begin with. An inotify descriptor, and three stand-ins for the
  /// standard streams, travel with it.
  std::optional<RunTest> request = {};
};

/// Send `signal` to the process group of run `id`, if it still runs.
struct Signal {
  std::uint64_t id = 0;
  int signal = 0;
};

/// Let the process of run `id` write the Python stacks of its threads, and a NUL, to its stack pipe. If it
/// cannot, there is no answer.
struct DumpStack {
  std::uint64_t id = 0;
};

/// Answer with `Pong` at once. Sent from time to time while a run goes on.
struct Ping {
  std::uint64_t id = 0;
};

/// Kill all runs and exit with 0. No further message follows.
struct Shutdown {};

using ToWorker = std::variant<Preload, HoldValues, RunTest, ExpectRun, Prime, Shrink, GoOn, Signal, DumpStack,
                              Ping, Shutdown>;

// ---- worker → daemon ----

/// The greeting, and the answer to every `Preload`: the worker takes runs.
struct Ready {
  int protocol = version;
  std::string stest_version;
  std::string python;      ///< "3.11.7"
  std::string executable;  ///< `sys.executable`
  struct Module {
    std::string name;
    double seconds = 0;
  };
  /// A file that an imported module came from, as it was when it was read. `state.mtime_ns` is 0 if it
  /// changed at that time. If the file has another state now, the worker is outdated.
  struct File {
    std::string module;
    std::string path;
    FileState state;
    bool ignored = false;  ///< Of an ignored module: a change causes only a notice.
  };
  /// The package under development, as it was found when the worker started.
  struct Target {
    std::string name;
    std::string path;  ///< Empty: it was configured and does not exist.
    std::string how;   ///< "configured", "project.name", "src" or "root"
  };
  std::vector<Module> preloaded;  ///< In order of import.
  std::vector<NotPreloaded> not_preloaded;
  std::vector<std::string> site_dirs;  ///< Folders in which packages are installed.
  std::vector<File> files;             ///< Without project code, except ignored modules.
  /// The variables that were read during preloading, with their values; nothing if unset.
  std::map<std::string, std::optional<std::string>> env_reads;
  std::map<std::string, std::string> env_readers;  ///< Of some of them the first module that read it.
  std::optional<Target> target;
};

/// The module that is being imported; empty while the worker checks its fork health.
struct Importing {
  std::string module;
  bool is_trial = false;  ///< In a fork, which any message ends; see `Preload::not_preloadable`.
};

/// The runner of run `id` was forked. From a snapshot to the zygote, `pid` is 0 if the run cannot go on from
/// this snapshot.
struct Started {
  std::uint64_t id = 0;
  int pid = 0;
};

/// How far the runner has come. It is kept in memory shared with the worker, and survives the runner's death.
enum class Phase {
  forked = 0,            ///< pytest has not been entered.
  running = 1,           ///< Inside `pytest.main()`.
  session_finished = 2,  ///< pytest's session ended and every started test reported.
  returned = 3,          ///< `pytest.main()` returned.
  starts_over = 4,       ///< This process cannot be right, a clean one may. Normally no test has run.
  needs_cold = 5,        ///< Only a process that has loaded nothing can give a right answer.
};

/// When the runner passed these points, in this order, by `monotonic_ns`; 0: it did not.
struct Milestones {
  std::uint64_t begun = 0;       ///< Its process exists, or has received the run.
  std::uint64_t configured = 0;  ///< pytest begins to collect.
  std::uint64_t collected = 0;
  std::uint64_t tested = 0;  ///< pytest's session is over.
};

/// The runner of run `id` has ended, or only the kernel's part of its end is left. In resident mode, the run
/// has ended.
struct Done {
  std::uint64_t id = 0;
  Phase phase = Phase::forked;
  std::optional<int> exit_code;  ///< Of the process; nothing if a signal ended it.
  std::optional<int> signal;
  std::string nodeid;  ///< The test that was running, else empty. The reason if it starts over.
  std::string error;   ///< Why a runner could not be started, else empty.
  /// A process that tests started, that has left the run's session, and that still runs.
  struct Left {
    int pid = 0;
    std::uint64_t start_time = 0;  ///< As in `ProcessIdentity`.
    std::string command;
  };
  std::vector<Left> left = {};  ///< Each is reported once.
  Milestones milestones = {};
};

/// The answer to `Ping`.
struct Pong {
  std::uint64_t id = 0;
};

/// A module proved not preloadable (threads, CUDA, a fork that does not work). With `ends_worker` the worker
/// ends after this line, and the daemon starts another one without the module. Otherwise only a fork of the
/// worker has tried out the module.
struct NotPreloadable {
  std::string module;
  std::string reason;
  bool ends_worker = true;
};

/// The worker cannot serve any run, and ends after this line. Each run is cold until the interpreter or the
/// packages change.
struct Unable {
  std::string reason;
  std::vector<std::string> site_dirs;  ///< As in `Ready`, as far as Python got.
};

/// The runs done ahead for the last requests, the last one first, without those in progress. Sent whenever
/// this changes.
struct Snapshots {
  struct Line {
    std::vector<std::string> args;  ///< Of the request.
    bool collected = false;         ///< A process has collected the tests, and waits to become the run.
    std::string reason;             ///< Why no process has collected; else empty.
    std::uint64_t run = 0;          ///< The last run with this request.

    friend bool operator==(const Line& a, const Line& b) = default;
  };
  std::vector<Line> lines;

  friend bool operator==(const Snapshots& a, const Snapshots& b) = default;
};

/// The pids of the processes that serve run after run; 0 if there is none. Sent whenever this changes. All
/// other children of the worker that no `Started` has named are snapshots, or try out a module.
struct Processes {
  int values = 0;
  int resident = 0;

  friend bool operator==(const Processes& a, const Processes& b) = default;
};

/// To the zygote only: the sender goes no further ahead of its request.
struct Stops {
  bool waits = false;  ///< It waits to become the run; else it ends.
  std::string reason;  ///< The next step, which only a run may do; empty once the tests are collected.
};

/// To the zygote only: the sender stays behind as a snapshot, and its fork goes on. The fork's channel and
/// flight recorder travel with this line.
struct Snapshot {
  int pid = 0;                    ///< Of the fork.
  std::uint64_t position_ms = 0;  ///< The time that the way to this point has taken.
  bool pinned = false;            ///< It is kept longer than others.
  bool any_args = false;          ///< It may serve a request that differs only in its arguments.
};

/// The result of `HoldValues`.
struct Values {
  struct Value {
    std::string key;
    std::string reason;       ///< Why it is not held; else empty.
    double seconds = 0;       ///< How long loading took.
    std::uint64_t bytes = 0;  ///< By how much the value process has grown.
  };
  std::vector<Value> values;
};

using FromWorker = std::variant<Ready, Importing, Started, Done, Pong, NotPreloadable, Unable, Snapshots,
                                Processes, Stops, Snapshot, Values>;

nlohmann::json to_json(const ToWorker& message);
nlohmann::json to_json(const FromWorker& message);
/// Errors: `bad_request`, naming the missing or mistyped field.
Result<ToWorker> to_worker_from_json(const nlohmann::json& value);
Result<FromWorker> from_worker_from_json(const nlohmann::json& value);

}  // namespace stest::protocol
