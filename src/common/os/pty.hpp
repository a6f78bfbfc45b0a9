#pragma once

#include <termios.h>

#include <string>

#include "common/os/fd.hpp"
#include "stest/messages.hpp"

namespace stest {

/// What identifies the open file `fd` to the daemon, which is to find it at `path`.
OpenFile identify_file(int fd, std::string path);

/// A terminal made for the tests. Owns both sides: the near one, non-blocking, where keys go in and output
/// comes out; and the far one, so that it stays a terminal before the tests have it and after.
class Pty {
 public:
  /// With the settings and the size of the terminal `like`. Errors: `internal`, no terminal to be had.
  static Result<Pty> open(int like);

  int fd() const { return near_.get(); }
  const Fd& far() const { return far_; }
  /// By which the daemon finds the far side.
  OpenFile file() const { return identify_file(far_.get(), path_); }

  /// The settings as the tests have them now.
  termios modes() const;
  /// Whether keys like Ctrl-C reach anybody as a signal.
  bool has_foreground() const;
  /// Tells the tests if the size of `terminal` is another than theirs.
  void copy_size(int terminal) const;

 private:
  Pty(Fd near, Fd far, std::string path)
      : near_(std::move(near)), far_(std::move(far)), path_(std::move(path)) {}

  Fd near_;
  Fd far_;
  std::string path_;
};

}  // namespace stest
