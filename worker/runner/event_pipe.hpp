#pragma once

#include <sys/types.h>

#include <nlohmann/json_fwd.hpp>

#include "common/os/fd.hpp"

namespace stest {

/// The runner's end of a pipe to the daemon: that for its events, or that for its stacks. Owns the
/// descriptor, moved to a high number out of the tests' way. Tests may close it, or have a file of theirs
/// opened under its number: then events cease, and nothing is written into that file. The truth about the run
/// does not depend on this pipe (see `FlightRecorder`).
class EventPipe {
 public:
  /// Takes over `fd`.
  explicit EventPipe(Fd fd);

  /// Writes one event as one line. Processes that the runner forked write nothing.
  void write(const nlohmann::json& event);

  /// Whether this process made it, and the descriptor is still that pipe. Async-signal-safe.
  bool is_intact() const;
  int fd() const { return fd_.get(); }

 private:
  Fd fd_;
  int writer_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

}  // namespace stest
