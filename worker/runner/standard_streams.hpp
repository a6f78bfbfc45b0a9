#pragma once

#include <array>
#include <vector>

#include "common/os/fd.hpp"
#include "stest/error.hpp"

namespace stest {

/// Makes the first three of `fds` the descriptors 0, 1 and 2 of this process, and takes the terminal among
/// them. Errors: `internal`, a descriptor cannot be duplicated.
Status take_streams(const std::vector<Fd>& fds);

/// Makes this process lead a session whose terminal is the one among the first three of `fds`, if any.
void take_terminal(const std::vector<Fd>& fds);
/// Gives up the terminal of the session, even if no stream leads to it any more.
void release_terminal();

/// Keeps descriptors 0, 1 and 2 as they are before the runs: /dev/null and the worker's log.
class StandardStreams {
 public:
  StandardStreams();
  void restore() const;

 private:
  std::array<Fd, 3> saved_;
};

}  // namespace stest
