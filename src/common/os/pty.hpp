#pragma once

#include <termios.h>

#include <string>

#include "common/os/fd.hpp"
#include "stest/messages.hpp"

namespace stest {

/// Describes the open file `fd` so that the daemon can open it at `path` and recognise it.
OpenFile identify_file(int fd, std::string path);

/// A terminal made for the tests. Owns both sides. The near one is non-blocking; keys are written to it, and
/// output is read from it. The far one stays open so that the terminal exists before the tests have it and
/// afterwards.
class Pty {
 public:
  /// Makes one with the settings and the size of the terminal `like`. Errors: `internal`.
  static Result<Pty> open(int like);

  int fd() const { return near_.get(); }
  const Fd& far() const { return far_; }
  /// The far side, for the daemon.
  OpenFile file() const { return identify_file(far_.get(), path_); }

  /// The present settings of the tests' terminal.
  termios modes() const;
  /// Whether a key such as Ctrl-C reaches a process as a signal.
  bool has_foreground() const;
  /// Gives the tests' terminal the size of `terminal`.
  void copy_size(int terminal) const;

 private:
  Pty(Fd near, Fd far, std::string path)
      : near_(std::move(near)), far_(std::move(far)), path_(std::move(path)) {}

  Fd near_;
  Fd far_;
  std::string path_;
};

}  // namespace stest
