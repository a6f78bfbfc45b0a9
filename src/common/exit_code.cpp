#include "stest/exit_code.hpp"

#include <array>

namespace stest {
namespace {

struct ErrorCodeRow {
  ErrorCode code;
  std::string_view name;
  ExitCode exit;
};

/// If the daemon refuses a request (`bad_request`, `not_found`), the client has a bug or another version.
/// Both are stest's fault, so the exit code is `internal_error`.
constexpr std::array<ErrorCodeRow, 13> kErrorCodes{{
    {ErrorCode::internal, "internal", ExitCode::internal_error},
    {ErrorCode::usage, "usage", ExitCode::usage_error},
    {ErrorCode::config, "config", ExitCode::config_error},
    {ErrorCode::daemon_unavailable, "daemon_unavailable", ExitCode::daemon_unavailable},
    {ErrorCode::worker_failed, "worker_failed", ExitCode::worker_failed},
    {ErrorCode::not_running, "not_running", ExitCode::not_running},
    {ErrorCode::bad_request, "bad_request", ExitCode::internal_error},
    {ErrorCode::not_found, "not_found", ExitCode::internal_error},
    {ErrorCode::unauthorized, "unauthorized", ExitCode::daemon_unavailable},
    {ErrorCode::forbidden, "forbidden", ExitCode::daemon_unavailable},
    {ErrorCode::cancelled, "cancelled", ExitCode::cancelled},
    {ErrorCode::busy, "busy", ExitCode::busy},
    {ErrorCode::warming, "warming", ExitCode::needs_cold},
}};

const ErrorCodeRow& row(ErrorCode code) {
  for (const ErrorCodeRow& candidate : kErrorCodes) {
    if (candidate.code == code) return candidate;
  }
  return kErrorCodes.front();
}

}  // namespace

std::string_view name(ErrorCode code) { return row(code).name; }

std::optional<ErrorCode> error_code(std::string_view name) {
  for (const ErrorCodeRow& candidate : kErrorCodes) {
    if (candidate.name == name) return candidate.code;
  }
  return std::nullopt;
}

ExitCode exit_code(ErrorCode code) { return row(code).exit; }

}  // namespace stest
