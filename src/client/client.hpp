#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "common/status_file.hpp"
#include "stest/messages.hpp"

namespace stest {

/// The daemon's HTTP API, a method per request. Every call makes a connection, so an object may be copied,
/// and used by several threads at once. If the daemon is too busy to accept, a call tries again, for at most
/// 30 s. If it does not listen, a call fails at once.
class DaemonClient {
 public:
  explicit DaemonClient(Endpoint endpoint) : endpoint_(std::move(endpoint)) {}

  /// The status JSON. Errors: `daemon_unavailable`, also if the daemon does not answer within 10 s.
  Result<nlohmann::json> status() const;

  /// Asks the daemon to end. Returns when it has answered, before it has ended. Errors as above.
  Status stop(StopWhen when) const;

  /// Errors: `not_found` if there is no such run any more; `daemon_unavailable` after 2 s.
  Status cancel(std::uint64_t id, CancelHow how) const;

  /// Stops the tests' processes, or lets them continue. Errors as above.
  Status suspend(std::uint64_t id, bool on) const;
  /// Asks for the run's stacks, which arrive as an event `Stuck`. Errors as above.
  Status ask_stack(std::uint64_t id) const;

  /// Runs the tests, and passes every event, including the last one, to `sink` as it comes. If `sink` returns
  /// false, the connection is closed, and the daemon ends the run: `cancelled`. `fds`: nothing, or the three
  /// streams of a program.
  ///
  /// Errors: the daemon's error if it refuses the request; `daemon_unavailable` if it cannot be reached, or
  /// if the connection ends before the event `Done`.
  Result<event::Done> run(const RunRequest& request, const EventSink& sink, std::vector<int> fds = {}) const;

 private:
  Endpoint endpoint_;
};

}  // namespace stest
