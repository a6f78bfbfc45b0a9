#pragma once

#include <array>
#include <vector>

#include "common/os/fd.hpp"
#include "stest/error.hpp"

namespace stest {

/// Makes the first three of `fds` the descriptors 0, 1 and 2 of this process, and the client's terminal,
/// where it is among them, the one of its session. Errors: `internal`, one cannot be duplicated.
Status take_streams(const std::vector<Fd>& fds);

/// Makes the terminal among the first three of `fds`, if any, that of this session, which this process leads.
void take_terminal(const std::vector<Fd>& fds);
/// Lets go of the terminal, whether or not it still is one of the streams.
void release_terminal();

/// Descriptors 0, 1 and 2 as they were before the runs: /dev/null and the worker's log.
class StandardStreams {
 public:
  StandardStreams();
  void restore() const;

 private:
  std::array<Fd, 3> saved_;
};

}  // namespace stest
