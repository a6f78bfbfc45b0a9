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

/// What client and daemon say to each other over HTTP; `docs/http_api.md` is the written form.
namespace stest {

/// A byte string as JSON: a plain string where `bytes` is valid UTF-8, else `{"base64": "…"}`.
/// Arguments, paths, variables and output are bytes on POSIX; this keeps every one of them.
nlohmann::json bytes_to_json(std::string_view bytes);

/// The inverse of `bytes_to_json`. Errors: `bad_request`.
Result<std::string> bytes_from_json(const nlohmann::json& value);

/// A file of the client's that the runner is to have as well. `path` leads the daemon to it, but not
/// where the two live in different namespaces (containers): there it may be another file, which the
/// identity gives away; zeros are not compared.
struct OpenFile {
  std::string path;
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
};

/// The client's stdin, where it is no terminal that the runner shares.
struct InputFile {
  OpenFile file;
  std::uint64_t offset = 0;  ///< From where it is to be read.
};

/// The terminal that the client has made for the runner, and which of its streams go there.
struct Terminal {
  OpenFile file;
  bool in = false;
  bool out = false;
  bool err = false;
};

/// One request to run pytest, complete: a run depends on nothing else of the client, except for the
/// files that `input` and `terminal` name.
struct RunRequest {
  std::vector<std::string> args;  ///< pytest's arguments, untouched.
  std::string cwd;                ///< Absolute.
  Environment env;                ///< The whole environment; what is missing here is unset.
  int umask = 022;
  bool merge_streams = false;             ///< stdout and stderr are the same file: keep their order exactly.
  bool wait = true;                       ///< For its turn; else it is refused as `busy`.
  std::optional<InputFile> input = {};    ///< Nothing: stdin is empty.
  std::optional<Terminal> terminal = {};  ///< Nothing: stdout and stderr are pipes.
  std::optional<ProcessAttributes> process = {};  ///< Nothing: as the daemon was started.
};

nlohmann::json to_json(const RunRequest& request);
/// Errors: `bad_request`, naming the field that is missing or has the wrong type.
Result<RunRequest> run_request_from_json(const nlohmann::json& value);

/// How a run ended; a closed set.
enum class Outcome { passed, failed, crashed, killed, hung, cancelled, usage_error, internal_error };
std::string_view name(Outcome outcome);
std::optional<Outcome> outcome(std::string_view name);
/// The outcome that pytest's own exit code stands for.
Outcome outcome_of_pytest(int exit_code);

enum class Stream { out, err };

namespace event {

/// A run that goes on.
struct Running {
  std::uint64_t id = 0;
  std::vector<std::string> args;
  std::string nodeid;  ///< The test that runs, empty outside tests.
  double seconds = 0;  ///< Since its turn came.
};
/// The run waits for others. `position` 1 is next.
struct Queued {
  std::uint64_t id = 0;
  int position = 0;
  std::vector<Running> running = {};
};
/// The worker starts or imports; `module` is what is being imported, empty while it starts.
struct Warming {
  std::string module;
  double elapsed_s = 0;                   ///< Of the wait.
  std::optional<double> expected_s = {};  ///< How long the wait will be in all, by earlier starts.
};
/// The tests' process runs.
struct Started {
  std::uint64_t id = 0;
  int pid = 0;
  bool terminal = false;  ///< On the terminal that the request names.
};
/// Raw bytes that the run wrote.
struct Output {
  Stream stream = Stream::out;
  std::string data;
};
/// One report of pytest. `when` is "start", "setup", "call", "teardown"; `outcome` is empty for
/// "start", else "passed", "failed" or "skipped".
struct Test {
  std::string nodeid;
  std::string when;
  std::string outcome;
  double duration_s = 0;
};
/// Nothing was heard from the run for `seconds`; it goes on. `nodeid` is the test that runs, empty
/// outside tests.
struct Stuck {
  double seconds = 0;
  std::string nodeid;
  double test_seconds = 0;  ///< How long that test has run.
  std::string stack = {};   ///< Python's, of each thread, by `faulthandler`; empty where not to be had.
};
/// What was not simply warm: started, restarted, reloaded, and why.
struct Notice {
  std::string text;
  std::vector<std::string> reloaded = {};  ///< Project modules: what changed, then what imports it.
};
/// What is known of a run whose process ended before pytest did.
struct Unfinished {
  std::vector<std::string> failed;  ///< Tests that had failed, in order.
  std::string nodeid;               ///< The test that ran; empty outside tests.
  std::optional<int> not_run = {};  ///< Collected tests that had not begun, where that is known.
  bool last_failed = false;         ///< pytest's `--lf` knows of what failed, and of the test that died.
};
/// The last event of every run.
struct Done {
  int exit_code = 0;  ///< What the client returns.
  Outcome outcome = Outcome::passed;
  std::string message;  ///< One line for a person where pytest could not speak for itself, else empty.
  std::string hint;
  double duration_s = 0;  ///< From the request's arrival.
  Timings timings = {};   ///< What it was spent on.
  std::optional<Unfinished> unfinished = {};
};

}  // namespace event

using Event = std::variant<event::Queued, event::Warming, event::Started, event::Output, event::Test,
                           event::Stuck, event::Notice, event::Done>;

/// One line of the NDJSON stream, without the newline. Field "event" names the kind.
nlohmann::json to_json(const Event& event);
/// Errors: `bad_request` for an unknown kind or a missing field.
Result<Event> event_from_json(const nlohmann::json& value);

/// Takes events of a run one by one; returns false when nobody listens any more, which ends the run.
using EventSink = std::function<bool(const Event&)>;

nlohmann::json to_json(const Error& error);
Error error_from_json(const nlohmann::json& value);

}  // namespace stest
