#include "daemon/run/client_files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <utility>

#include "common/start_over_mark.hpp"

namespace stest {

namespace {

bool is_same_file(const OpenFile& file, const struct stat& info) {
  return (file.device == 0 || file.device == info.st_dev) && (file.inode == 0 || file.inode == info.st_ino);
}

/// Without O_NOCTTY a terminal would become the daemon's controlling terminal.
Result<Fd> open_client_file(const OpenFile& file, int flags) {
  Fd fd(::open(file.path.c_str(), flags | O_NOCTTY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) return errno_error("cannot open " + file.path);
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0 || !is_same_file(file, info)) {
    return fail(ErrorCode::bad_request, file.path + " is another file for the daemon than for the client");
  }
  // This does not change the client's open file description, because ours is a separate one.
  if (auto set = set_nonblocking(fd.get(), false); !set) return tl::unexpected(set.error());
  return fd;
}

bool operator!=(const timespec& one, const timespec& other) {
  return one.tv_sec != other.tv_sec || one.tv_nsec != other.tv_nsec;
}

}  // namespace

Result<Fd> open_client_input(const InputFile& input) {
  auto fd = open_client_file(input.file, O_RDONLY);
  if (fd && input.offset > 0) (void)::lseek(fd->get(), static_cast<off_t>(input.offset), SEEK_SET);
  return fd;
}

Result<ClientTerminal> ClientTerminal::open(const OpenFile& file) {
  auto fd = open_client_file(file, O_RDWR);
  if (!fd) return tl::unexpected(fd.error());
  if (::isatty(fd->get()) == 0) return fail(ErrorCode::bad_request, file.path + " is not a terminal");
  return ClientTerminal(std::move(*fd));
}

bool ClientTerminal::is_in_use() {
  struct stat info {};
  if (::fstat(fd(), &info) != 0) return false;
  const bool changed = info.st_mtim != written_ || info.st_atim != read_;
  written_ = info.st_mtim;
  read_ = info.st_atim;
  return changed || reads_single_keys();
}

bool ClientTerminal::reads_single_keys() const {
  termios modes{};
  return ::tcgetattr(fd(), &modes) == 0 && (modes.c_lflag & ICANON) == 0;
}

void ClientTerminal::mark_start_over() const {
  // Opened again with O_NONBLOCK, so that a terminal that is stopped or full does not block the daemon.
  const auto again = "/proc/self/fd/" + std::to_string(fd());
  const Fd own(::open(again.c_str(), O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (own) (void)!::write(own.get(), start_over_mark.data(), start_over_mark.size());
}

}  // namespace stest
