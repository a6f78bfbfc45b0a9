#pragma once

#include <sys/types.h>

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "common/os/fd.hpp"
#include "common/os/pty.hpp"

namespace stest {

/// What a run that is ahead of its request has in place of the client's standard streams: a terminal for a
/// terminal, else a pipe into which nothing is ever written, and files in memory.
class StandIns {
 public:
  /// For streams like the first three of these, and of the same size where they are a terminal.
  /// Errors: `internal`, there is no memory, or no terminal to be had.
  static Result<StandIns> like(const std::vector<Fd>& streams);

  /// Whether a process that has these could tell that it does not have those.
  bool are_like(const std::vector<Fd>& streams) const;

  /// stdin, stdout and stderr.
  const std::vector<Fd>& streams() const { return streams_; }

  /// To be called before each fork: what was written to a terminal can be read from it once.
  void keep_output();

  /// In a fork, which gets a terminal of its own behind every descriptor that leads to that of its parent.
  /// Files are `OwnDescriptors::separate`'s. Returns the new one, for `OwnDescriptors`; -1 without any.
  Result<int> separate();
  /// In a fork whose files are its own now.
  void identify();

  /// Writes what was written to these to `streams`, and puts those behind every descriptor that leads to
  /// these: pytest has made copies for itself.
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
  std::string kept_;  ///< What was written to it.
  Fd silent_;         ///< The other end of a pipe for stdin.
  std::vector<Fd> streams_;
  std::array<Identity, 3> identities_;
};

}  // namespace stest
