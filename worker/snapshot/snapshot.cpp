#include "worker/snapshot/snapshot.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/inotify.h>
#include <time.h>
#include <unistd.h>

#include <iterator>
#include <nlohmann/json.hpp>
#include <utility>

#include "worker/runner/run_place.hpp"
#include "worker/runner/runner.hpp"
#include "worker/runner/standard_streams.hpp"
#include "worker/snapshot/fork.hpp"
#include "worker/watch/file_reads.hpp"
#include "worker/watch/raw_calls.hpp"

namespace stest {

namespace {

/// The limit for collecting. No run waits for it, but it takes time of a processor.
constexpr time_t most_seconds = 120;
/// Changes within this time count as one: an editor writes several times, and `git checkout` many files.
constexpr int quiet_ms = 150;
/// A snapshot is worth its memory if it saves at least this time.
constexpr std::chrono::milliseconds worth{200};
const std::int64_t worker_start_ns = file_reads::now_ns();

/// Makes the kernel kill this process after this time. There is no handler that a test could see.
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

/// This is only a hint: without it a change is found when the request comes.
void watch_folders(int inotify, const std::vector<std::string>& folders) {
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

/// Closes the channel, because the zygote notices that sooner than the end of the process.
[[noreturn]] void end_as_outdated(FlightRecorder& recorder, const LineChannel& channel) {
  recorder.set_phase(protocol::Phase::starts_over);
  ::close(channel.fd());
  ::_exit(0);
}

}  // namespace

Snapshot::Snapshot(LineChannel& channel, Fd inotify, StandIns stand_ins, const protocol::RunTest& request,
                   std::optional<std::uint64_t> likes_cuda_since_ns)
    : channel_(&channel),
      inotify_(std::move(inotify)),
      stand_ins_(std::move(stand_ins)),
      leads_(request.process ? request.process->leads : Leads{}),
      args_(request.args),
      likes_cuda_since_ns_(likes_cuda_since_ns),
      deadline_(kill_me_after(most_seconds)) {
  descriptors_.emplace();
}

void Snapshot::send(const protocol::FromWorker& message, const std::vector<int>& fds) {
  (void)channel_->send(
      protocol::to_json(message).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace), fds);
}

void Snapshot::refuse(const std::string& reason) {
  send(protocol::Stops{false, reason});
  ::_exit(0);
}

// ---- staying behind

bool Snapshot::is_edited(const std::string& file) { return file_reads::changed_ns(file) > worker_start_ns; }

bool Snapshot::is_due(const std::string& file) const {
  return Clock::now() - last_point_ >= worth || is_edited(file);
}

/// In the fork: replaces what it shares with the snapshot.
void Snapshot::become_fork(FlightRecorder& recorder, Link link) {
  link.recorder.continue_from(recorder);
  recorder = std::move(link.recorder);
  recorder.claim();
  const auto terminal = stand_ins_.separate();
  if (!terminal) ::_exit(1);  // The zygote notices the end of the process.
  descriptors_->may_share(*terminal);
  OwnDescriptors::separate();
  stand_ins_.identify();
  take_terminal(stand_ins_.streams());
  lead_as_client(leads_);
}

void Snapshot::take_channel(Fd own) {
  if (!own_channel_) ::close(channel_->fd());
  own_channel_ = std::make_unique<LineChannel>(std::move(own));
  channel_ = own_channel_.get();
  descriptors_->may_share(channel_->fd());
}

Snapshot::Fork Snapshot::go_on(FlightRecorder& recorder, const Point& point) {
  auto link = make_link();
  const pid_t pid = link ? fork_run(::getppid()) : -1;
  if (pid < 0) return Fork::failed;
  if (pid > 0) {
    send(protocol::Snapshot{pid, static_cast<std::uint64_t>(position_.count()), point.is_pinned,
                            point.any_args},
         {link->memory.get(), link->zygotes.get()});
    return Fork::parent;
  }
  link->zygotes.reset();
  take_channel(std::move(link->own));
  become_fork(recorder, std::move(*link));
  const auto known = channel_->receive();  // It must not begin anything before the zygote knows it.
  if (!known || !*known) ::_exit(0);
  deadline_ = kill_me_after(most_seconds);
  last_point_ = Clock::now();
  return Fork::child;
}

std::optional<std::vector<Fd>> Snapshot::stay(FlightRecorder& recorder, bool is_pinned,
                                              const Accepts& accepts) {
  const Point point{is_pinned, accepts != nullptr};
  position_ += std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - last_point_);
  file_reads::stop();
  raw_calls::stop();
  stand_ins_.keep_output();
  if (go_on(recorder, point) != Fork::parent) {
    file_reads::go_on();
    raw_calls::start();
    return std::nullopt;
  }
  ::timer_delete(deadline_);
  be_first_to_go();
  for (bool watches = false;;) {
    await_line(recorder, watches);
    auto line = channel_->receive();
    auto message = line && *line
                       ? protocol::to_worker_from_json(nlohmann::json::parse((*line)->text, nullptr, false))
                       : tl::unexpected(Error{});
    if (!message) ::_exit(0);  // The zygote does not need it any more.
    if (file_reads::changed()) end_as_outdated(recorder, *channel_);
    if (const auto* request = std::get_if<protocol::RunTest>(&*message)) {
      if (request->args != args_ && !(accepts && accepts(request->args))) {
        send(protocol::Started{request->id, 0});  // It cannot serve the run.
      } else if (auto fds = serve(recorder, *request, std::move((*line)->fds))) {
        return fds;
      }
    } else if (const auto* more = std::get_if<protocol::GoOn>(&*message); more && !more->is_last) {
      likes_cuda_since_ns_ = more->likes_cuda_since_ns;
      const Fork fork = go_on(recorder, point);
      if (fork == Fork::failed) ::_exit(0);
      if (fork == Fork::parent) continue;
      file_reads::go_on();
      raw_calls::start();
      return std::nullopt;
    } else {
      watches = true;
      watch_folders(inotify_.get(), file_reads::folders());
    }
  }
}

/// Returns the pipes of the request in the fork that serves it, and nothing in the snapshot.
std::optional<std::vector<Fd>> Snapshot::serve(FlightRecorder& recorder, const protocol::RunTest& request,
                                               std::vector<Fd> fds) {
  auto link = make_link();
  const pid_t pid = link ? fork_run(::getppid()) : -1;
  if (pid < 0) ::_exit(0);  // The zygote then takes another process.
  if (pid > 0) {
    send(protocol::Started{request.id, pid}, {link->memory.get()});
    return std::nullopt;
  }
  ::close(channel_->fd());
  become_fork(recorder, std::move(*link));
  return take(request, std::move(fds));
}

// ---- waiting to become the run

bool Snapshot::may_initialise_cuda() const {
  return likes_cuda_since_ns_ && !file_reads::written_since(static_cast<std::int64_t>(*likes_cuda_since_ns_));
}

void Snapshot::await_line(FlightRecorder& recorder, bool watches) {
  for (int patience = -1; !channel_->has_buffered_line();) {
    pollfd fds[] = {{channel_->fd(), POLLIN, 0}, {watches ? inotify_.get() : -1, POLLIN, 0}};
    const int ready = ::poll(fds, std::size(fds), patience);
    if (ready > 0 && fds[0].revents != 0) return;
    if (ready > 0) {
      drain(inotify_.get());
    } else if (ready == 0 && file_reads::changed()) {
      end_as_outdated(recorder, *channel_);
    }
    patience = ready > 0 ? quiet_ms : -1;
  }
}

std::vector<Fd> Snapshot::await(FlightRecorder& recorder, WrittenPages* written, const std::string& reason) {
  watch_folders(inotify_.get(), file_reads::folders());
  if (file_reads::changed()) end_as_outdated(recorder, *channel_);
  ::timer_delete(deadline_);
  be_first_to_go();
  send(protocol::Stops{true, reason});
  // A request that comes during this loses no time: its run would need the same copies.
  if (written != nullptr) written->copy_ahead();
  await_line(recorder, /*watches=*/true);
  auto run = receive_run(*channel_);
  if (!run) ::_exit(0);  // The zygote does not need it any more.
  if (file_reads::changed()) end_as_outdated(recorder, *channel_);
  say_begun(*channel_);
  return take(run->request, std::move(run->fds));
}

std::vector<Fd> Snapshot::take(const protocol::RunTest& request, std::vector<Fd> fds) {
  args_ = request.args;
  if (request.process) set_oom_score_adj(request.process->oom_score_adj);
  release_terminal();
  stand_ins_.give_way_to(fds);
  stand_ins_ = {};
  take_terminal(fds);
  inotify_.reset();
  fds.erase(fds.begin(), fds.begin() + 3);
  return fds;
}

}  // namespace stest
