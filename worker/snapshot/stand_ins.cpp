#include "worker/snapshot/stand_ins.hpp"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>
#include <tuple>
#include <utility>

#include "worker/snapshot/own_descriptors.hpp"

namespace stest {

namespace {

bool is_terminal(const Fd& fd) { return ::isatty(fd.get()) != 0; }

/// Compares all that a process can ask of a terminal, except which one it is.
bool is_like(const Fd& one, const Fd& other) {
  if (is_terminal(one) != is_terminal(other)) return false;
  termios a{}, b{};
  winsize first{}, second{};
  ::tcgetattr(one.get(), &a);
  ::tcgetattr(other.get(), &b);
  ::ioctl(one.get(), TIOCGWINSZ, &first);
  ::ioctl(other.get(), TIOCGWINSZ, &second);
  return std::tie(a.c_iflag, a.c_oflag, a.c_cflag, a.c_lflag, first.ws_row, first.ws_col) ==
             std::tie(b.c_iflag, b.c_oflag, b.c_cflag, b.c_lflag, second.ws_row, second.ws_col) &&
         std::equal(std::begin(a.c_cc), std::end(a.c_cc), std::begin(b.c_cc));
}

Result<Fd> duplicate(const Fd& fd) {
  Fd copy(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 0));
  if (!copy) return errno_error("dup");
  return copy;
}

/// Undoes that a terminal has turned each "\n" into "\r\n".
std::string as_written(std::string text, const termios& modes) {
  if ((modes.c_oflag & OPOST) == 0 || (modes.c_oflag & ONLCR) == 0) return text;
  const auto is_made = [&](const char& c) { return c == '\r' && *(&c + 1) == '\n'; };  // Ends with '\0'.
  std::string written;
  for (const char& c : text) {
    if (!is_made(c)) written += c;
  }
  return written;
}

}  // namespace

Result<StandIns> StandIns::like(const std::vector<Fd>& streams) {
  StandIns made;
  for (std::size_t i = 0; i < made.identities_.size(); ++i) {
    auto stream = made.make(streams, i);
    if (!stream) return tl::unexpected(stream.error());
    made.streams_.push_back(std::move(*stream));
  }
  made.identify();
  return made;
}

/// The stand-in for stream `i` of these.
Result<Fd> StandIns::make(const std::vector<Fd>& like, std::size_t i) {
  if (is_terminal(like[i])) {
    if (!terminal_) {
      auto terminal = Pty::open(like[i].get());
      if (!terminal) return tl::unexpected(terminal.error());
      terminal_ = std::move(*terminal);
    }
    return duplicate(terminal_->far());
  }
  if (i == 0) {
    auto pipe = make_pipe();
    if (!pipe) return tl::unexpected(pipe.error());
    silent_ = std::move(pipe->write);
    return std::move(pipe->read);
  }
  if (i == 2 && identity(like[1].get()) == identity(like[2].get())) return duplicate(streams_[1]);
  Fd file(::memfd_create(i == 1 ? "stdout" : "stderr", MFD_CLOEXEC));
  if (!file) return errno_error("cannot create a file for the output");
  return file;
}

bool StandIns::are_like(const std::vector<Fd>& streams) const {
  return std::equal(streams_.begin(), streams_.end(), streams.begin(), is_like) &&
         (identities_[1] == identities_[2]) == (identity(streams[1].get()) == identity(streams[2].get()));
}

StandIns::Identity StandIns::identity(int fd) {
  struct stat info {};
  ::fstat(fd, &info);
  return {info.st_dev, info.st_ino};
}

void StandIns::identify() {
  for (std::size_t i = 0; i < identities_.size(); ++i) identities_[i] = identity(streams_[i].get());
}

/// A read also makes the kernel pass on output that is still on its way.
void StandIns::keep_output() {
  if (!terminal_) return;
  std::string text;
  char buffer[4096];
  for (ssize_t size = 0; (size = ::read(terminal_->fd(), buffer, sizeof buffer)) > 0;)
    text.append(buffer, static_cast<std::size_t>(size));
  kept_ += as_written(std::move(text), terminal_->modes());
}

Result<int> StandIns::separate() {
  if (!terminal_) return -1;
  auto own = Pty::open(terminal_->far().get());
  if (!own) return tl::unexpected(own.error());
  const auto shared = identity(terminal_->far().get());
  for (const int fd : open_descriptors()) {
    if (identity(fd) == shared && !put_behind(fd, own->far().get())) return errno_error("dup3");
  }
  terminal_ = std::move(*own);
  return terminal_->far().get();
}

void StandIns::show(std::size_t i, int stream) {
  if (!is_terminal(streams_[i])) {
    if (i == 1 || identities_[1] != identities_[2]) (void)copy_contents(streams_[i].get(), stream);
    return;
  }
  keep_output();
  const auto modes = terminal_->modes();  // The tests may have changed them.
  ::tcsetattr(stream, TCSANOW, &modes);
  (void)write_all(stream, std::exchange(kept_, {}));
}

void StandIns::give_way_to(const std::vector<Fd>& streams) {
  for (const std::size_t i : {1, 2}) show(i, streams[i].get());
  for (const int fd : open_descriptors()) {
    const auto found = std::find(identities_.begin(), identities_.end(), identity(fd));
    if (found != identities_.end())
      (void)put_behind(fd, streams[static_cast<std::size_t>(found - identities_.begin())].get());
  }
}

}  // namespace stest
