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

/// What daemon and worker say to each other: JSON Lines on a private socketpair.
/// `docs/protocol.md` is the written form; `protocol_version` changes with it.
namespace stest::protocol {

inline constexpr int version = 10;

// ---- daemon → worker ----

/// A module that is not preloaded, and why.
struct NotPreloaded {
  std::string name;
  std::string reason;
};

/// Import these modules, in this order, then answer with `Ready`. `path` is where to look for them
/// beside `sys.path`.
struct Preload {
  std::vector<std::string> modules;
  std::vector<std::string> path;
  std::vector<std::string> patterns = {};  ///< Regular expressions to compile, as runs told of them.
  /// What proved not preloadable before. If there is anything, a fork tries each module out first.
  std::vector<NotPreloaded> not_preloadable = {};
};

/// Have a process hold these values for the runs to come in `RunMode::fork`; `Values` tells what has become
/// of it. It takes the place of the one before, and no run waits for it.
struct HoldValues {
  struct Value {
    std::string key;
    std::string request;  ///< How to make it: the worker's own words, as a run has sent them.
  };
  std::vector<Value> values;
  Environment env;
};

/// Which process runs the tests.
enum class RunMode {
  fork = 0,      ///< A fork of the zygote, which holds no project code, or of a snapshot.
  resident = 1,  ///< One process, run after run.
};

/// Fork a runner. Five descriptors travel with the line (SCM_RIGHTS): stdin, stdout, stderr, the pipe on
/// which the runner's pytest plugin writes its events, and the pipe for the answer to `DumpStack`.
struct RunTest {
  std::uint64_t id = 0;
  std::vector<std::string> args;
  std::string cwd;
  Environment env;
  int umask = 022;
  RunMode mode = RunMode::fork;
  std::uint64_t memory_limit = 0;  ///< Bytes, of a resident process; 0 is none.
  bool prime = false;              ///< A runner that was forked ahead may take it; see `Prime`.
  std::optional<ProcessAttributes> process = {};  ///< Nothing: as the worker has them.
};

/// No run waits: the worker may fork runners ahead for the last requests, configure and collect in them.
struct Prime {};

/// From the zygote to a snapshot: a fork of it is to go on ahead of its request. The answer is `Snapshot`.
struct GoOn {
  bool is_last = false;  ///< Nothing goes on: this snapshot is the last of its line.
  std::optional<std::uint64_t> likes_cuda_since_ns = {};  ///< See `prime_in_this_process`.
  /// To a process that has not begun any run: with which request to begin. An inotify descriptor and three
  /// like the request's standard streams travel with it.
  std::optional<RunTest> request = {};
};

/// Send `signal` to the process group of run `id`, if it still runs.
struct Signal {
  std::uint64_t id = 0;
  int signal = 0;
};

/// Have the process of run `id` write the Python stacks of its threads, and a NUL, to its last pipe. There
/// is no answer where it cannot.
struct DumpStack {
  std::uint64_t id = 0;
};

/// Answer with `Pong`, at once: sent for a run that goes on, to a worker that waits for messages.
struct Ping {
  std::uint64_t id = 0;
};

/// End: no further message follows. The worker kills what runs and exits with 0.
struct Shutdown {};

using ToWorker = std::variant<Preload, HoldValues, RunTest, Prime, GoOn, Signal, DumpStack, Ping, Shutdown>;

// ---- worker → daemon ----

/// The greeting and the answer to every `Preload`: the worker takes runs.
struct Ready {
  int protocol = version;
  std::string stest_version;
  std::string python;      ///< "3.11.7"
  std::string executable;  ///< `sys.executable`
  struct Module {
    std::string name;
    double seconds = 0;
  };
  /// A file that an imported module came from, as it was when it was read; `state.mtime_ns` is 0 where it
  /// changed at that very time. Any other state means that the worker is stale.
  struct File {
    std::string module;
    std::string path;
    FileState state;
    bool ignored = false;  ///< Project code that is never unloaded: a change is told, and no more.
  };
  /// The package under development, as it was found when the worker started.
  struct Target {
    std::string name;
    std::string path;  ///< Empty: it was configured, and there is none.
    std::string how;   ///< "configured", "project.name", "src" or "root"
  };
  std::vector<Module> preloaded;  ///< What is warm, in order of import.
  std::vector<NotPreloaded> not_preloaded;
  std::vector<std::string> site_dirs;  ///< Folders in which packages are installed.
  std::vector<File> files;             ///< Project code left out, but for what is ignored.
  /// Variables that were read while preloading: value, or nothing where it was unset.
  std::map<std::string, std::optional<std::string>> env_reads;
  std::optional<Target> target;
};

/// Progress outside a run: the module that is being imported; empty while forks are tried out.
struct Importing {
  std::string module;
};

/// The runner of run `id` was forked. From a snapshot to the zygote: or cannot go on from it; then `pid` is
/// 0.
struct Started {
  std::uint64_t id = 0;
  int pid = 0;
};

/// How far the runner got; kept in memory shared with the worker, so that it survives any death.
enum class Phase {
  forked = 0,            ///< pytest has not been entered.
  running = 1,           ///< Inside `pytest.main()`.
  session_finished = 2,  ///< pytest's session ended and every started test reported.
  returned = 3,          ///< `pytest.main()` returned.
  starts_over = 4,       ///< It cannot give a right answer and has run no test; a fresh fork may.
  needs_cold = 5,        ///< No fork can, at whatever time: only a process that has loaded nothing.
};

/// When the runner passed these points, in their order, by `monotonic_ns`; 0: it did not.
struct Milestones {
  std::uint64_t begun = 0;       ///< Its process exists, or has been given the run.
  std::uint64_t configured = 0;  ///< pytest begins to collect.
  std::uint64_t collected = 0;
  std::uint64_t tested = 0;  ///< pytest's session is over.
};

/// The runner of run `id` has ended, or has said its last word and is taken down by the kernel.
struct Done {
  std::uint64_t id = 0;
  Phase phase = Phase::forked;
  std::optional<int> exit_code;  ///< Of the process; nothing when a signal ended it.
  std::optional<int> signal;
  std::string nodeid;  ///< The test that was running, else empty. The reason if it starts over.
  std::string error;   ///< Why a runner could not be started, else empty.
  /// A process that tests started in a session of its own, and that goes on.
  struct Left {
    int pid = 0;
    std::uint64_t start_time = 0;  ///< As in `ProcessIdentity`.
    std::string command;
  };
  std::vector<Left> left = {};  ///< Each is told once.
  Milestones milestones = {};
};

/// The answer to `Ping`.
struct Pong {
  std::uint64_t id = 0;
};

/// A preloaded module proved not preloadable (threads, CUDA, a fork that does not work). The worker ends
/// after this line, and the daemon starts it anew without the module, unless a fork of it found out.
struct NotPreloadable {
  std::string module;
  std::string reason;
  bool ends_worker = true;
};

/// The worker can serve no run; it ends after this line. Each run is done cold, as long as interpreter and
/// packages stay as they are.
struct Unable {
  std::string reason;
  std::vector<std::string> site_dirs;  ///< As in `Ready`, as far as it has got.
};

/// What has been done ahead, for the last requests, the last one first, but for what is on its way; whenever
/// that changes.
struct Snapshots {
  struct Line {
    std::vector<std::string> args;  ///< Of the request.
    bool collected = false;         ///< A process has collected the tests, and waits to become the run.
    std::string reason;             ///< Why none does; else empty.

    friend bool operator==(const Line& a, const Line& b) = default;
  };
  std::vector<Line> lines;

  friend bool operator==(const Snapshots& a, const Snapshots& b) = default;
};

/// To the zygote only: the process that says this goes no further ahead of its request.
struct Stops {
  bool waits = false;  ///< It becomes the run; else it ends.
  std::string reason;  ///< What comes next, that it may not do; empty once the tests are collected.
};

/// To the zygote only: the process that says this stays behind as a snapshot, and its fork goes on. The
/// fork's channel and its flight recorder travel with this.
struct Snapshot {
  int pid = 0;                    ///< The fork's.
  std::uint64_t position_ms = 0;  ///< What the way to this point has taken.
  bool pinned = false;            ///< It is kept before others.
  bool any_args = false;          ///< It may serve a request that differs in its arguments alone.
};

/// What a process holds since `HoldValues`, or why not.
struct Values {
  struct Value {
    std::string key;
    std::string reason;  ///< Why it is not held; else empty.
    double seconds = 0;
    std::uint64_t bytes = 0;  ///< By which the process has grown.
  };
  std::vector<Value> values;
};

using FromWorker = std::variant<Ready, Importing, Started, Done, Pong, NotPreloadable, Unable, Snapshots,
                                Stops, Snapshot, Values>;

nlohmann::json to_json(const ToWorker& message);
nlohmann::json to_json(const FromWorker& message);
/// Errors: `bad_request`, naming the missing or mistyped field.
Result<ToWorker> to_worker_from_json(const nlohmann::json& value);
Result<FromWorker> from_worker_from_json(const nlohmann::json& value);

}  // namespace stest::protocol
