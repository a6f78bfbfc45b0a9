#include "cli/terminal/standard_input.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <array>
#include <string>

#include "cli/terminal/terminal_modes.hpp"
#include "common/os/pty.hpp"

namespace stest {
namespace {

constexpr std::size_t piece = 4096;

std::string path_of(int fd) { return "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(fd); }

bool is_null(const struct stat& info) { return S_ISCHR(info.st_mode) && info.st_rdev == makedev(1, 3); }

bool is_of_another_job() { return ::isatty(0) == 1 && ::tcgetpgrp(0) >= 0 && !is_foreground(0); }

bool can_be_opened() {
  return bool(Fd(::open("/proc/self/fd/0", O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)));
}

bool can_be_read() {
  const int flags = ::fcntl(0, F_GETFL);
  return flags >= 0 && (flags & O_ACCMODE) != O_WRONLY && ::isatty(0) == 0;
}

/// Waits until `fd` or `stop` is ready; false if `stop` is.
bool await(int fd, short events, int stop) {
  std::array<pollfd, 2> polled{{{fd, events, 0}, {stop, POLLIN, 0}}};
  ::poll(polled.data(), polled.size(), -1);
  return polled[1].revents == 0;
}

}  // namespace

StandardInput::StandardInput() {
  struct stat info {};
  if (::fstat(0, &info) != 0 || is_null(info) || is_of_another_job()) return;
  if (can_be_opened()) {
    const off_t offset = S_ISREG(info.st_mode) ? ::lseek(0, 0, SEEK_CUR) : 0;
    file_ = InputFile{identify_file(0, path_of(0)), static_cast<std::uint64_t>(offset)};
  } else if (can_be_read()) {
    prepare_copy();
  }
}

StandardInput::~StandardInput() {
  stop_.write.reset();
  if (thread_.joinable()) thread_.join();
}

void StandardInput::begin() {
  if (pipe_.write && !thread_.joinable()) thread_ = std::thread([this] { copy(); });
}

void StandardInput::prepare_copy() {
  auto pipe = make_pipe();
  auto stop = make_pipe();
  if (!pipe || !stop || !set_nonblocking(pipe->write.get(), true)) return;
  pipe_ = std::move(*pipe);
  stop_ = std::move(*stop);
  file_ = InputFile{identify_file(pipe_.read.get(), path_of(pipe_.read.get()))};
}

void StandardInput::copy() {
  while (await(0, POLLIN, stop_.read.get())) {
    const auto read = read_some(0, piece);
    if (!read || read->end) break;
    // A pipe takes a piece of this size either completely or not at all.
    while (!read->data.empty() && ::write(pipe_.write.get(), read->data.data(), read->data.size()) < 0) {
      if (!await(pipe_.write.get(), POLLOUT, stop_.read.get())) return;
    }
  }
  pipe_.write.reset();
}

}  // namespace stest
