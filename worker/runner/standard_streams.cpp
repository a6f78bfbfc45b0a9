#include "worker/runner/standard_streams.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "worker/runner/run_place.hpp"

namespace stest {

/// Then keys like Ctrl-C send signals to the tests, and /dev/tty is this terminal. The kernel refuses a
/// terminal that belongs to another session.
void take_terminal(const std::vector<Fd>& fds) {
  for (std::size_t i = 0; i < 3; ++i) {
    const int fd = fds.at(i).get();
    if (::isatty(fd) != 0 && lead_session_for_terminal() && ::ioctl(fd, TIOCSCTTY, 0) == 0) return;
  }
}

Status take_streams(const std::vector<Fd>& fds) {
  for (int target = 0; target < 3; ++target) {
    if (::dup2(fds.at(static_cast<std::size_t>(target)).get(), target) < 0) return errno_error("dup2");
  }
  take_terminal(fds);
  return {};
}

/// The kernel sends SIGHUP to the foreground processes of the terminal, and so to this one.
void release_terminal() {
  const Fd terminal(::open("/dev/tty", O_RDWR | O_CLOEXEC));
  if (!terminal) return;
  struct sigaction ignore {
  }, previous{};
  ignore.sa_handler = SIG_IGN;
  ::sigaction(SIGHUP, &ignore, &previous);
  ::ioctl(terminal.get(), TIOCNOTTY);
  ::sigaction(SIGHUP, &previous, nullptr);
}

StandardStreams::StandardStreams() {
  for (int fd = 0; fd < 3; ++fd) saved_[static_cast<std::size_t>(fd)] = Fd(::fcntl(fd, F_DUPFD_CLOEXEC, 3));
}

void StandardStreams::restore() const {
  for (int fd = 0; fd < 3; ++fd) ::dup2(saved_[static_cast<std::size_t>(fd)].get(), fd);
}

}  // namespace stest
