#pragma once

#include <sys/types.h>

#include <nlohmann/json_fwd.hpp>

#include "common/os/fd.hpp"

namespace stest {

/// The runner's end of the event pipe or of the stack pipe. Owns the descriptor, and moves it to a high
/// number that tests hardly use. Tests may close it, or open a file under its number. Then events are
/// dropped, and nothing is written into that file. The result of the run does not depend on them (see
/// `FlightRecorder`).
class EventPipe {
 public:
  /// Takes over `fd`.
  explicit EventPipe(Fd fd);

  /// Writes one event as one line. Processes that the runner forked write nothing.
  void write(const nlohmann::json& event);

  /// Whether this process has made it, and the descriptor is still that pipe. Async-signal-safe.
  bool is_intact() const;
  int fd() const { return fd_.get(); }

 private:
  Fd fd_;
  int writer_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

}  // namespace stest
