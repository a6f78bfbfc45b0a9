#pragma once

#include <sys/types.h>

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "common/os/fd.hpp"
#include "common/os/pty.hpp"

namespace stest {

/// The standard streams of a run that is ahead of its request: a terminal in place of a terminal. Otherwise
/// stdin is a pipe without input, and stdout and stderr are files in memory.
class StandIns {
 public:
  /// Stand-ins for the first three of `streams`. A terminal gets the same settings and size.
  /// Errors: `internal`, out of memory or terminals.
  static Result<StandIns> like(const std::vector<Fd>& streams);

  /// Whether a process that has these could not tell them from `streams`.
  bool are_like(const std::vector<Fd>& streams) const;

  /// stdin, stdout and stderr.
  const std::vector<Fd>& streams() const { return streams_; }

  /// Must be called before each fork: output can be read from a terminal only once.
  void keep_output();

  /// Must be called in a fork: puts a new terminal behind every descriptor of the parent's terminal. Returns
  /// the new one, for `OwnDescriptors`; -1 if there is none. `OwnDescriptors::separate` does this for files.
  Result<int> separate();
  /// Must be called in a fork after `OwnDescriptors::separate`: its files are others now.
  void identify();

  /// Copies the output of the stand-ins to `streams`, and puts `streams` behind every descriptor of a
  /// stand-in: pytest has made duplicates.
  void give_way_to(const std::vector<Fd>& streams);

 private:
  /// Tells one open file from another.
  struct Identity {
    dev_t device = 0;
    ino_t inode = 0;
    friend bool operator==(const Identity& a, const Identity& b) = default;
  };
  static Identity identity(int fd);
  Result<Fd> make(const std::vector<Fd>& like, std::size_t i);
  void show(std::size_t i, int stream);

  std::optional<Pty> terminal_;
  std::string kept_;  ///< What was read from it.
  Fd silent_;         ///< The other end of a pipe for stdin.
  std::vector<Fd> streams_;
  std::array<Identity, 3> identities_;
};

}  // namespace stest
