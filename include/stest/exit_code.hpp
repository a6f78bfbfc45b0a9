#pragma once

#include <optional>
#include <string_view>

namespace stest {

/// The exit codes that stest uses. 0 to 5 are pytest's and pass through unchanged, as does any other number
/// that a suite chooses (`pytest.exit(returncode=…)`). stest's codes begin at 100.
enum class ExitCode : int {
  ok = 0,
  tests_failed = 1,
  interrupted = 2,
  pytest_internal_error = 3,
  pytest_usage_error = 4,
  no_tests_collected = 5,

  internal_error = 100,  ///< A bug in stest.
  usage_error = 101,     ///< A command line that stest does not understand.
  config_error = 102,    ///< An invalid `[tool.sprintest]` key or `SPRINTEST_*` variable.
  daemon_unavailable =
      103,              ///< No daemon could be started or reached, or it ended during the run; see `help`.
  worker_failed = 104,  ///< The worker could not start, or died.
  crashed = 105,        ///< The process that ran the tests died before pytest finished.
  killed = 106,         ///< The same, by a SIGKILL that stest did not send, mostly out of memory.
  cancelled = 107,      ///< The run was ended by `stest stop` or a cancel before pytest finished.
  not_running = 108,    ///< There is no daemon (`status`, `logs`), or no run (`cancel`).
  diverged = 109,       ///< `stest verify`: the warm and the cold run differ.
  busy = 110,           ///< `stest run --no-wait`: other runs are going on.
  hung = 111,           ///< The run was silent for longer than `hang_timeout`, and was ended.
  needs_cold = 112,     ///< Only a cold run can be right. `stest` makes one itself.
  unsound = 113,        ///< `stest doctor` found something that must be repaired.
};

/// The kind of an error, as named in the `error` field of the HTTP API.
enum class ErrorCode {
  internal,
  usage,
  config,
  daemon_unavailable,
  worker_failed,
  not_running,
  bad_request,
  not_found,
  unauthorized,
  forbidden,
  cancelled,
  busy,
  warming,
};

/// The name of `code` on the wire, for example "config".
std::string_view name(ErrorCode code);

/// The inverse of `name`; nothing if the name is unknown.
std::optional<ErrorCode> error_code(std::string_view name);

/// The exit code that the client returns when it fails with `code`.
ExitCode exit_code(ErrorCode code);

}  // namespace stest
