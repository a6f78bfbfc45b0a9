#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "stest/config.hpp"
#include "stest/error.hpp"
#include "stest/process_attributes.hpp"
#include "stest/timings.hpp"

/// The messages between client and daemon over HTTP; `docs/http_api.md` describes them.
namespace stest {

/// A byte string as JSON: a plain string if `bytes` is valid UTF-8, else `{"base64": "…"}`.
/// Arguments, paths, variables and output are bytes on POSIX; this form loses none of them.
nlohmann::json bytes_to_json(std::string_view bytes);

/// The inverse of `bytes_to_json`. Errors: `bad_request`.
Result<std::string> bytes_from_json(const nlohmann::json& value);

/// How a run is asked to end, in order of force.
enum class CancelHow { interrupt, terminate, kill };
std::string_view name(CancelHow how);
std::optional<CancelHow> cancel_how(std::string_view name);
/// SIGINT, SIGTERM, SIGKILL.
int signal_of(CancelHow how);

/// When the daemon ends.
enum class StopWhen { now, idle };

/// An open file of the client that the runner gets as well. The daemon opens `path`. In another namespace (a
/// container) this may be another file, so the daemon compares device and inode; zeros are not compared.
struct OpenFile {
  std::string path;
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
};

/// The client's stdin, unless the runner reads from `Terminal`.
struct InputFile {
  OpenFile file;
  std::uint64_t offset = 0;  ///< Where reading begins, in bytes.
};

/// The terminal that the client has made for the runner, and the streams that go there.
struct Terminal {
  OpenFile file;
  bool in = false;
  bool out = false;
  bool err = false;
};

/// As the first argument of a program: the Pythons that it starts as `sys.executable` are warm too.
inline constexpr const char* warm_children = "--warm-children";

/// One request to run pytest, or a Python program. A run depends on nothing else of the client, except for
/// the files that `input` and `terminal` name.
struct RunRequest {
  std::vector<std::string> args;  ///< pytest's arguments, unchanged; those of `python`, if it runs a program.
  std::string cwd;                ///< Absolute.
  Environment env;                ///< The whole environment; all other variables are unset.
  int umask = 022;
  bool merge_streams = false;  ///< stdout and stderr are the same file: keep their order exactly.
  bool wait = true;            ///< Wait for the run's turn; else the request is refused as `busy`.
  /// The process that runs the tests itself if the result is `needs_cold`. Nothing: none; the run waits.
  std::optional<int> cold_pid = {};
  std::optional<InputFile> input = {};            ///< Nothing: stdin is empty.
  std::optional<Terminal> terminal = {};          ///< Nothing: stdout and stderr are pipes.
  std::optional<ProcessAttributes> process = {};  ///< Nothing: those with which the daemon was started.
  bool python = false;                            ///< It runs a program, as `python` does.
};

nlohmann::json to_json(const RunRequest& request);
/// Errors: `bad_request`, naming the field that is missing or has the wrong type.
Result<RunRequest> run_request_from_json(const nlohmann::json& value);

/// How a run ended.
enum class Outcome { passed, failed, crashed, killed, hung, cancelled, usage_error, internal_error };
std::string_view name(Outcome outcome);
std::optional<Outcome> outcome(std::string_view name);
/// The outcome for an exit code of pytest.
Outcome outcome_of_pytest(int exit_code);

enum class Stream { out, err };

namespace event {

/// A run that other runs wait for.
struct Running {
  std::uint64_t id = 0;
  std::vector<std::string> args;
  std::string nodeid;  ///< The running test; empty outside tests.
  double seconds = 0;  ///< Since its turn came.
};
/// The run waits for others. `position` 1 is next.
struct Queued {
  std::uint64_t id = 0;
  int position = 0;
  std::vector<Running> running = {};
};
/// The run waits for the worker, which starts or imports `module`; empty while it starts.
struct Warming {
  std::string module;
  double elapsed_s = 0;                   ///< How long the run has waited for the worker.
  std::optional<double> expected_s = {};  ///< The whole wait, estimated from earlier starts.
};
/// The runner exists.
struct Started {
  std::uint64_t id = 0;
  int pid = 0;
  bool terminal = false;  ///< It uses the terminal that the request names.
};
/// Raw bytes that the run wrote.
struct Output {
  Stream stream = Stream::out;
  std::string data;
};
/// Why a test failed, was skipped, or was expected to fail.
struct Details {
  std::string message;   ///< The exception, or the reason.
  std::string file;      ///< Where it was raised; empty if that is not known.
  int line = 0;          ///< 0: not known.
  std::string longrepr;  ///< The failure as pytest shows it.
  std::string output;    ///< The captured output, with pytest's titles.
  bool xfail = false;    ///< It was expected to fail.
};
/// One report of pytest. `when` is "start", "setup", "call" or "teardown"; "collect" for a file that could
/// not be collected. `outcome` is empty for "start", else "passed", "failed" or "skipped".
struct Test {
  std::string nodeid;
  std::string when;
  std::string outcome;
  double duration_s = 0;
  std::string worker = {};  ///< The worker of pytest-xdist; empty without it.
  std::optional<Details> details = {};
};
/// The run has been silent for `seconds`; it goes on. `nodeid` is the running test; empty outside tests.
struct Stuck {
  double seconds = 0;
  std::string nodeid;
  double test_seconds = 0;  ///< How long that test has run.
  std::string stack = {};   ///< Of each Python thread, by `faulthandler`; empty if not available.
};
/// Why a run was not simply warm: what was started, restarted or reloaded, and the reason.
struct Notice {
  std::string text;
  std::vector<std::string> reloaded = {};  ///< Project modules: changed ones, then those that import them.
};
/// What is known about a run whose process ended before pytest did.
struct Unfinished {
  std::vector<std::string> failed;  ///< Tests that had failed, in order.
  std::string nodeid;               ///< The test that ran; empty outside tests.
  std::optional<int> not_run = {};  ///< The number of collected tests that had not begun, if known.
  bool last_failed = false;         ///< `pytest --lf` will select the failed tests and the test that died.
};
/// The last event of every run.
struct Done {
  int exit_code = 0;  ///< What the client returns.
  Outcome outcome = Outcome::passed;
  std::string message;  ///< One line for the user if pytest did not report the end itself, else empty.
  std::string hint;
  double duration_s = 0;  ///< Since the request arrived.
  Timings timings = {};   ///< Where this time went.
  std::optional<Unfinished> unfinished = {};
};

}  // namespace event

using Event = std::variant<event::Queued, event::Warming, event::Started, event::Output, event::Test,
                           event::Stuck, event::Notice, event::Done>;

/// One line of the NDJSON stream, without the newline. The field "event" names the kind.
nlohmann::json to_json(const Event& event);
/// Errors: `bad_request` for an unknown kind or a missing field.
Result<Event> event_from_json(const nlohmann::json& value);

/// Takes the events of a run one by one. Returns false if the client has gone; the run then ends.
using EventSink = std::function<bool(const Event&)>;

nlohmann::json to_json(const Error& error);
Error error_from_json(const nlohmann::json& value);

}  // namespace stest
