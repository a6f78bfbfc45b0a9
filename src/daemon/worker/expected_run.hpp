#pragma once

#include <optional>

#include "common/os/pty.hpp"
#include "daemon/run/run.hpp"
#include "daemon/run/run_streams.hpp"
#include "daemon/worker/worker_process.hpp"

namespace stest {

/// A run that plain pytest makes because a worker still imports. When the worker is ready, it gets to know
/// the run, and can do it ahead in case it comes again.
class ExpectedRun {
 public:
  /// Must be called while the client waits for the answer: later its terminal is gone. Errors: `internal`,
  /// out of descriptors or terminals.
  static Result<ExpectedRun> of(const Run& run);

  /// Errors: the worker has ended.
  Status send_to(WorkerProcess& worker) const;

 private:
  protocol::RunTest message_;
  std::optional<Pty> terminal_;  ///< Like the client's.
  RunStreams streams_;
  RunStreams::Theirs theirs_;
  bool merges_streams_ = false;
};

}  // namespace stest
