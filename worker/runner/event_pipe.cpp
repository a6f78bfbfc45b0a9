#include "worker/runner/event_pipe.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

namespace stest {

namespace {

/// Above the numbers that `open` returns in tests, and above the ranges that some tests close.
constexpr int high_fd = 900;

Fd move_up(Fd fd) {
  const int moved = ::fcntl(fd.get(), F_DUPFD_CLOEXEC, high_fd);
  return moved < 0 ? std::move(fd) : Fd(moved);
}

}  // namespace

EventPipe::EventPipe(Fd fd) : fd_(move_up(std::move(fd))), writer_(::getpid()) {
  struct stat info {};
  if (::fstat(fd_.get(), &info) != 0) return;
  device_ = info.st_dev;
  inode_ = info.st_ino;
}

bool EventPipe::is_intact() const {
  struct stat info {};
  return writer_ == ::getpid() && ::fstat(fd_.get(), &info) == 0 && info.st_dev == device_ &&
         info.st_ino == inode_;
}

void EventPipe::write(const nlohmann::json& event) {
  if (!is_intact()) return;
  // A failure is ignored: if the daemon has gone away, the worker ends this process.
  (void)write_all(fd_.get(), event.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

}  // namespace stest
