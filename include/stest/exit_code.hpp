#pragma once

#include <optional>
#include <string_view>

namespace stest {

/// Every exit code that `stest` can return by its own choice. 0 to 5 are pytest's own and pass
/// through untouched, as does any other number that a suite chooses (`pytest.exit(returncode=…)`).
/// stest's own begin at 100.
enum class ExitCode : int {
  ok = 0,
  tests_failed = 1,
  interrupted = 2,
  pytest_internal_error = 3,
  pytest_usage_error = 4,
  no_tests_collected = 5,

  internal_error = 100,      ///< A bug in stest.
  usage_error = 101,         ///< A command line that stest does not understand.
  config_error = 102,        ///< A bad `[tool.sprintest]` key or `SPRINTEST_*` variable.
  daemon_unavailable = 103,  ///< No daemon could be started or reached, or it went away mid-run.
  worker_failed = 104,       ///< The worker could not start or died before the tests ran.
  crashed = 105,             ///< The process that ran the tests died before pytest finished.
  killed = 106,              ///< The same, by SIGKILL that stest did not send: out of memory.
  cancelled = 107,           ///< The run was ended by `stest stop` or a cancel before pytest finished.
  not_running = 108,         ///< There is no daemon (`status`, `logs`), or no run (`cancel`).
  diverged = 109,            ///< `stest verify`: the warm and the cold run differ.
  busy = 110,                ///< `stest run --no-wait`: other runs go on.
  hung = 111,                ///< The run was silent for longer than `hang_timeout`, and was ended.
  needs_cold = 112,          ///< Only a fresh process can be right. `stest` starts one itself.
  unsound = 113,             ///< `stest doctor` found something that must be mended.
};

/// What kind of thing went wrong, as named in the `error` field of the HTTP API.
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
};

/// The name of `code` on the wire, for example "config".
std::string_view name(ErrorCode code);

/// The inverse of `name`; nothing for an unknown name.
std::optional<ErrorCode> error_code(std::string_view name);

/// The exit code that the client returns when it fails with `code`.
ExitCode exit_code(ErrorCode code);

}  // namespace stest
