#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>

#include "common/status_file.hpp"
#include "stest/messages.hpp"

namespace stest {

enum class StopWhen { now, idle };
enum class CancelHow { interrupt, terminate, kill };

/// The daemon's HTTP API, a method per request. Holds no connection: every call makes its own, so an
/// object may be copied and used by several threads at once. A daemon that is too busy to accept is
/// asked again for up to 30 s; one that does not listen at all is an error at once.
class DaemonClient {
 public:
  explicit DaemonClient(Endpoint endpoint) : endpoint_(std::move(endpoint)) {}

  /// The status JSON. Errors: `daemon_unavailable`, also when it does not answer within 10 s.
  Result<nlohmann::json> status() const;

  /// Asks the daemon to end; returns when it has agreed, not when it has ended. Errors as above.
  Status stop(StopWhen when) const;

  /// Errors: `not_found` when there is no such run any more; `daemon_unavailable` after 2 s.
  Status cancel(std::uint64_t id, CancelHow how) const;

  /// Stops the tests' processes, or lets them go on. Errors as above.
  Status suspend(std::uint64_t id, bool on) const;
  /// Asks for the run's stacks, which come as an event `Stuck`. Errors as above.
  Status ask_stack(std::uint64_t id) const;

  /// Runs the tests, and hands every event, the last one included, to `sink` as it comes. When `sink`
  /// returns false the connection is closed, which ends the run: `cancelled`.
  ///
  /// Errors: what the daemon says where it refuses the request; `daemon_unavailable` when it cannot
  /// be reached, or goes away before the event `Done`.
  Result<event::Done> run(const RunRequest& request, const EventSink& sink) const;

 private:
  Endpoint endpoint_;
};

}  // namespace stest
