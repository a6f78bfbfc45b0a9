#pragma once

#include <sys/types.h>

#include <array>
#include <string>
#include <vector>

#include "common/line_channel.hpp"
#include "flight_recorder.hpp"
#include "written_pages.hpp"

namespace stest {

/// This process, if it is a runner that was forked before its request: it configures pytest and collects the
/// tests, with stand-ins for the standard streams, and waits. It ends by itself as soon as something
/// that it has looked at (see `file_reads`) is not as it was.
class PrimedRunner {
 public:
  /// `channel` leads to the zygote and is closed with the wait; `merged`: stdout and stderr are one file. The
  /// zygote keeps `inotify` open too: the last to close one that watches is kept waiting, for 10 ms or so.
  PrimedRunner(LineChannel& channel, Fd inotify, bool merged);

  /// What to use for stdin, stdout and stderr: a pipe into which nothing is ever written, and files in
  /// memory.
  const std::vector<Fd>& stand_ins() const { return stand_ins_; }

  /// Ends this process, which must not go on; the zygote is told why.
  [[noreturn]] void refuse(const std::string& reason);

  /// Tells the zygote that the tests are collected, and blocks until the request comes. Then the streams are
  /// its own, and have got what was written to the stand-ins; `file_reads` must have stopped. Returns what
  /// else travelled with it: the event pipe and the stack pipe. Ends this process if it is no longer current,
  /// with `recorder` saying so. Meanwhile it has copies of what is `written`, where that is known.
  std::vector<Fd> await(FlightRecorder& recorder, WrittenPages* written);

 private:
  /// Tells one open file from another.
  struct Identity {
    dev_t device = 0;
    ino_t inode = 0;
    friend bool operator==(const Identity& a, const Identity& b) = default;
  };
  static Identity identity(int fd);
  void replace_streams(const std::vector<Fd>& streams) const;

  LineChannel& channel_;
  Fd inotify_;
  Fd silent_;  ///< The other end of the stand-in for stdin.
  std::vector<Fd> stand_ins_;
  std::array<Identity, 3> identities_;
  timer_t deadline_{};
};

}  // namespace stest
