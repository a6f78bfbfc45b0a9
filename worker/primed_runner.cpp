#include "primed_runner.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cstdlib>
#include <iterator>
#include <nlohmann/json.hpp>
#include <utility>

#include "file_reads.hpp"
#include "runner.hpp"
#include "stest/protocol.hpp"

namespace stest {

namespace {

/// What collecting may take. Nobody waits for it, but it is somebody's processor.
constexpr time_t most_seconds = 120;
/// An editor writes several times, and `git checkout` many files: what happens within this is one change.
constexpr int quiet_ms = 150;

/// Has the kernel kill this process then, whatever it does. No handler, so that no test sees a signal.
timer_t kill_me_after(time_t seconds) {
  sigevent event{};
  event.sigev_notify = SIGEV_SIGNAL;
  event.sigev_signo = SIGKILL;
  timer_t timer{};
  if (::timer_create(CLOCK_MONOTONIC, &event, &timer) != 0) ::_exit(1);
  itimerspec when{};
  when.it_value.tv_sec = seconds;
  ::timer_settime(timer, 0, &when, nullptr);
  return timer;
}

/// A hint only: without it a change is found when the request comes.
void watch(int inotify, const std::vector<std::string>& folders) {
  for (const auto& folder : folders) {
    ::inotify_add_watch(inotify, folder.c_str(),
                        IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVE | IN_ATTRIB | IN_ONLYDIR);
  }
}

void drain(int fd) {
  char buffer[4096];
  while (::read(fd, buffer, sizeof buffer) > 0) {
  }
}

void replay(int stand_in, int stream) {
  char buffer[65536];
  off_t offset = 0;
  for (ssize_t size = 0; (size = ::pread(stand_in, buffer, sizeof buffer, offset)) > 0; offset += size) {
    (void)write_all(stream, {buffer, static_cast<std::size_t>(size)});
  }
}

/// The zygote learns of it by the channel's end, and not only by that of the process, which takes its time.
[[noreturn]] void end_as_outdated(FlightRecorder& recorder, const LineChannel& channel) {
  recorder.set_phase(protocol::Phase::declined);
  ::close(channel.fd());
  ::_exit(0);
}

}  // namespace

PrimedRunner::PrimedRunner(LineChannel& channel, Fd inotify, bool merged)
    : channel_(channel), inotify_(std::move(inotify)), deadline_(kill_me_after(most_seconds)) {
  auto pipe = make_pipe();
  if (!pipe) refuse(pipe.error().message);
  silent_ = std::move(pipe->write);
  stand_ins_.push_back(std::move(pipe->read));
  stand_ins_.emplace_back(::memfd_create("stdout", MFD_CLOEXEC));
  stand_ins_.emplace_back(merged ? ::fcntl(stand_ins_[1].get(), F_DUPFD_CLOEXEC, 0)
                                 : ::memfd_create("stderr", MFD_CLOEXEC));
  if (!stand_ins_[1] || !stand_ins_[2]) refuse("no memory for what it prints");
  for (std::size_t i = 0; i < identities_.size(); ++i) identities_[i] = identity(stand_ins_[i].get());
}

PrimedRunner::Identity PrimedRunner::identity(int fd) {
  struct stat info {};
  ::fstat(fd, &info);
  return {info.st_dev, info.st_ino};
}

void PrimedRunner::refuse(const std::string& reason) {
  (void)channel_.send(protocol::to_json(protocol::FromWorker(protocol::Primed{0, reason}))
                          .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  ::_exit(0);
}

std::vector<Fd> PrimedRunner::await(FlightRecorder& recorder, WrittenPages* written) {
  watch(inotify_.get(), file_reads::folders());
  if (file_reads::changed()) end_as_outdated(recorder, channel_);
  ::timer_delete(deadline_);
  be_first_to_go();
  (void)channel_.send(protocol::to_json(protocol::FromWorker(protocol::Primed{1, ""})).dump());
  // A request that comes in the middle of this waits no longer than it would for the same copies.
  if (written != nullptr) written->copy_ahead();
  for (int patience = -1; !channel_.has_buffered_line();) {
    pollfd fds[] = {{channel_.fd(), POLLIN, 0}, {inotify_.get(), POLLIN, 0}};
    const int ready = ::poll(fds, std::size(fds), patience);
    if (ready > 0 && fds[0].revents != 0) break;
    if (ready > 0) {
      drain(inotify_.get());
    } else if (ready == 0 && file_reads::changed()) {
      end_as_outdated(recorder, channel_);
    }
    patience = ready > 0 ? quiet_ms : -1;
  }
  auto run = receive_run(channel_);
  if (!run) ::_exit(0);  // The zygote has no more use for it.
  auto fds = std::move(run->fds);
  if (file_reads::changed()) end_as_outdated(recorder, channel_);
  if (run->request.process) set_oom_score_adj(run->request.process->oom_score_adj);
  say_begun(channel_);
  replay(stand_ins_[1].get(), fds[1].get());
  if (identities_[1] != identities_[2]) replay(stand_ins_[2].get(), fds[2].get());
  replace_streams(fds);
  stand_ins_.clear();
  silent_.reset();
  inotify_.reset();
  fds.erase(fds.begin(), fds.begin() + 3);
  return fds;
}

/// Wherever a stand-in has got by now: pytest has made copies of the descriptors for itself.
void PrimedRunner::replace_streams(const std::vector<Fd>& streams) const {
  DIR* folder = ::opendir("/proc/self/fd");
  if (folder == nullptr) ::_exit(1);
  std::vector<int> open;
  while (const dirent* entry = ::readdir(folder)) open.push_back(std::atoi(entry->d_name));
  ::closedir(folder);
  for (const int fd : open) {
    const auto file = identity(fd);
    for (std::size_t i = 0; i < identities_.size(); ++i) {
      if (file != identities_[i]) continue;
      const bool closes = (::fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0;
      ::dup3(streams[i].get(), fd, closes ? O_CLOEXEC : 0);
      break;
    }
  }
}

}  // namespace stest
