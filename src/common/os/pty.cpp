#include "common/os/pty.hpp"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <utility>

namespace stest {

OpenFile identify_file(int fd, std::string path) {
  struct stat info {};
  ::fstat(fd, &info);
  return {std::move(path), info.st_dev, info.st_ino};
}

Result<Pty> Pty::open(int like) {
  std::array<char, 128> path{};
  Fd near(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!near || ::grantpt(near.get()) != 0 || ::unlockpt(near.get()) != 0 ||
      ::ptsname_r(near.get(), path.data(), path.size()) != 0) {
    return errno_error("cannot make a terminal");
  }
  Fd far(::open(path.data(), O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!far) return errno_error(std::string("cannot open ") + path.data());
  if (auto set = set_nonblocking(near.get(), true); !set) return tl::unexpected(set.error());
  termios modes{};
  if (::tcgetattr(like, &modes) == 0) ::tcsetattr(far.get(), TCSANOW, &modes);
  Pty pty(std::move(near), std::move(far), path.data());
  pty.copy_size(like);
  return pty;
}

termios Pty::modes() const {
  termios modes{};
  ::tcgetattr(near_.get(), &modes);
  return modes;
}

bool Pty::has_foreground() const { return ::tcgetpgrp(near_.get()) > 0; }

void Pty::copy_size(int terminal) const {
  winsize size{};
  // If the size differs, the kernel sends SIGWINCH.
  if (::ioctl(terminal, TIOCGWINSZ, &size) == 0) ::ioctl(near_.get(), TIOCSWINSZ, &size);
}

}  // namespace stest
