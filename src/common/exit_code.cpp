#include "stest/exit_code.hpp"

#include <array>

namespace stest {
namespace {

struct ErrorCodeRow {
  ErrorCode code;
  std::string_view name;
  ExitCode exit;
};

/// A client whose request was refused has a bug, or speaks to a daemon of another version: both are
/// stest's own fault, hence `internal_error`.
constexpr std::array<ErrorCodeRow, 12> kErrorCodes{{
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
