#include "worker/zygote.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <utility>

#include "common/os/process.hpp"
#include "worker/runner/run_place.hpp"
#include "worker/runner/stack_request.hpp"
#include "worker/snapshot/fork.hpp"

namespace stest {

Zygote::Zygote(LineChannel& channel, Preloader& preloader, WorkerHost host, std::vector<std::string> probe)
    : channel_(channel),
      preloader_(preloader),
      host_(std::move(host)),
      probe_(std::move(probe)),
      values_(
          preloader, [this](const auto& message) { send(message); }, [this] { close_in_child(); }),
      resident_(
          preloader, [this](const auto& message) { send(message); }, [this] { close_in_child(); },
          [this](pid_t pid, pid_t session) { return leftovers_.end_run(pid, session, own_children()); }),
      snapshots_(preloader, values_, [this] { close_in_child(); }) {}

int Zygote::serve() {
  sigchld_fd();
  std::vector<Fd> fds;
  // The answer is the greeting; only pytest is preloaded by then.
  serve_while(handle(protocol::Preload{}, fds));
  // After `Shutdown` the daemon still runs, and decides which leftovers may outlive this process.
  if (!is_shut_down_) leftovers_.kill_all();
  return 0;
}

void Zygote::serve_while(bool go_on) {
  while (go_on) {
    if (!channel_.has_buffered_line()) wait_for_event();
    reap();
    attend_processes();
    snapshots_.attend();
    report_snapshots();
    report_processes();
    pollfd readable{channel_.fd(), POLLIN, 0};
    if (channel_.has_buffered_line() || ::poll(&readable, 1, 0) > 0) go_on = handle_line();
  }
  kill_all();
}

void Zygote::attend_processes() {
  const bool was_ready = values_.ready() != nullptr;
  values_.attend();
  resident_.attend();
  if ((values_.ready() != nullptr) != was_ready) begin_lines_anew();
}

/// Lines begin in the process from which the next run is forked, and that is another one now.
void Zygote::begin_lines_anew() {
  snapshots_.end();
  if (snapshots_.is_allowed()) snapshots_.prime(true);
}

void Zygote::wait_for_event() {
  // `poll` ignores negative descriptors.
  std::vector<pollfd> fds{{channel_.fd(), POLLIN, 0},
                          {sigchld_fd(), POLLIN, 0},
                          {values_.fd(), POLLIN, 0},
                          {resident_.fd(), POLLIN, 0}};
  for (const int fd : snapshots_.fds()) fds.push_back({fd, POLLIN, 0});
  ::poll(fds.data(), fds.size(), -1);
}

bool Zygote::handle_line() {
  auto line = channel_.receive();
  if (!line || !*line) return false;  // The daemon is gone.
  const auto message = protocol::to_worker_from_json(
      nlohmann::json::parse((*line)->text, nullptr, /*allow_exceptions=*/false));
  if (!message) {
    std::fprintf(stderr, "stest-worker: %s\n", message.error().message.c_str());
    return false;
  }
  return std::visit([&](const auto& m) { return handle(m, (*line)->fds); }, *message);
}

bool Zygote::handle(const protocol::Preload& message, std::vector<Fd>&) {
  // They were forked without the modules that this process loads now.
  if (!message.modules.empty()) {
    values_.end();
    resident_.end();
  }
  snapshots_.end();
  if (!preloader_.load(
          message, [this](const auto& news) { send(news); }, &channel_))
    return false;
  modules_.insert(modules_.end(), message.modules.begin(), message.modules.end());
  if (!message.modules.empty()) send(protocol::Importing{});
  // pytest imports nothing that starts threads, so the greeting needs no check of fork health.
  if (auto reason = message.modules.empty() ? std::nullopt : check_fork_health()) {
    send(protocol::NotPreloadable{find_culprit(modules_), *reason});
    return false;
  }
  send(preloader_.account());
  return true;
}

std::string Zygote::find_culprit(const std::vector<std::string>& modules) {
  // Whether forks of a process that has imported the first `count` modules are healthy.
  const auto healthy = [&](std::size_t count) {
    SpawnOptions probe;
    probe.args = probe_;
    probe.fds = {{2, 2}};
    probe.args.insert(probe.args.end(), modules.begin(),
                      modules.begin() + static_cast<std::ptrdiff_t>(count));
    auto env = current_environment();
    const Fd library = start_worker(probe, host_, env);
    send(protocol::Importing{});  // Shows the daemon that this process works: the probe may take long.
    const auto pid = spawn(probe);
    if (!pid) return false;
    const auto status = wait_for(*pid);
    return status && status->code == 0;
  };
  std::size_t good = 0;
  std::size_t bad = modules.size();
  while (bad - good > 1) {
    const std::size_t middle = good + (bad - good) / 2;
    (healthy(middle) ? good : bad) = middle;
  }
  return bad == 0 ? "" : modules[bad - 1];
}

bool Zygote::handle(const protocol::HoldValues& message, std::vector<Fd>&) {
  const bool was_ready = values_.ready() != nullptr;
  values_.hold(message);
  if (was_ready) begin_lines_anew();
  return true;
}

bool Zygote::handle(const protocol::RunTest& message, std::vector<Fd>& fds) {
  if (fds.size() != 5) {
    send(could_not_run(message.id, "the descriptors of its pipes did not arrive"));
    return true;
  }
  snapshots_.prime(false);
  if (message.mode == protocol::RunMode::resident) {
    resident_.run(message, std::move(fds));
    return true;
  }
  if (!message.python) snapshots_.note(message, fds);
  start_runner(message, fds);
  return true;
}

bool Zygote::handle(const protocol::ExpectRun& message, std::vector<Fd>& fds) {
  if (message.run.mode == protocol::RunMode::fork && fds.size() >= 3) snapshots_.note(message.run, fds);
  return true;
}

bool Zygote::handle(const protocol::Prime& message, std::vector<Fd>&) {
  snapshots_.prime(message.may);
  return true;
}

bool Zygote::handle(const protocol::Shrink& message, std::vector<Fd>&) {
  snapshots_.prime(false);
  snapshots_.end();
  if (!message.all) return true;
  values_.end();
  resident_.end();
  return true;
}

bool Zygote::handle(const protocol::GoOn&, std::vector<Fd>&) { return true; }  // For snapshots only.

void Zygote::start_runner(const protocol::RunTest& message, std::vector<Fd>& fds) {
  // A snapshot has imported pytest.
  auto taken = message.python ? std::nullopt : snapshots_.take(message, fds);
  report_snapshots();
  if (SnapshotProcess* values = values_.ready(); values != nullptr && !taken)
    taken = fork_from(*values, message, fds);
  if (!taken) return fork_runner(message, fds);
  send(protocol::Started{message.id, taken->pid});
  runs_.emplace(message.id,
                Run{taken->pid, ::getsid(taken->pid), std::move(taken->recorder), message.python});
}

void Zygote::fork_runner(const protocol::RunTest& message, std::vector<Fd>& fds) {
  auto recorder = FlightRecorder::create();
  const pid_t pid = recorder ? fork_run() : -1;
  if (pid == 0) {
    close_in_child();
    run_in_this_process(message, std::move(fds), std::move(*recorder), preloader_.environment_changes());
  }
  if (pid < 0) return send(could_not_run(message.id, "cannot fork a process for the tests"));
  runs_.emplace(message.id, Run{pid, ::getsid(pid), std::move(*recorder), message.python});
  send(protocol::Started{message.id, pid});
}

void Zygote::close_in_child() {
  ::close(channel_.fd());
  values_.close_in_child();
  resident_.close_in_child();
  snapshots_.close_in_child();
}

bool Zygote::handle(const protocol::Signal& message, std::vector<Fd>&) {
  if (resident_.signal(message.id, message.signal)) return true;
  const auto run = runs_.find(message.id);
  // The runner is not reaped yet, so no other process can have its pid.
  if (run != runs_.end()) signal_run(run->second.pid, message.signal);
  return true;
}

bool Zygote::handle(const protocol::DumpStack& message, std::vector<Fd>&) {
  if (resident_.request_stack(message.id)) return true;
  if (const auto run = runs_.find(message.id); run != runs_.end()) request_stack(run->second.pid);
  return true;
}

bool Zygote::handle(const protocol::Ping& message, std::vector<Fd>&) {
  send(protocol::Pong{message.id});
  return true;
}

bool Zygote::handle(const protocol::Shutdown&, std::vector<Fd>&) {
  is_shut_down_ = true;
  return false;
}

void Zygote::reap() {
  drain_sigchld();  // First, so that whoever ends after these checks is noticed by the next wait.
  std::erase_if(ending_, [](pid_t pid) { return ::waitpid(pid, nullptr, WNOHANG) != 0; });
  for (auto run = runs_.begin(); run != runs_.end();) {
    const bool is_over = has_ended(run->second.pid);
    const auto last_word = run->second.recorder.exit_code();
    if (!is_over && !last_word) {
      ++run;
      continue;
    }
    // Processes that the tests left in their session end with the run. This comes before the runner is
    // reaped, so that no other process can have its pid.
    // What a program leaves goes on, as after plain Python.
    std::vector<protocol::Done::Left> left;
    if (!run->second.is_program)
      left = leftovers_.end_run(run->second.pid, run->second.session, own_children());
    int status = W_EXITCODE(last_word.value_or(0), 0);
    if (::waitpid(run->second.pid, &status, last_word ? WNOHANG : 0) == 0) ending_.insert(run->second.pid);
    if (run->second.recorder.likes_cuda_ahead()) snapshots_.likes_cuda_ahead(run->first);
    auto done = end_of_run(run->first, run->second.recorder, status);
    done.left = std::move(left);
    send(done);
    run = runs_.erase(run);
  }
  Leftovers::reap(own_children());
}

std::set<pid_t> Zygote::own_children() const {
  auto own = snapshots_.pids();
  own.insert({values_.pid(), resident_.pid(), resident_.session()});
  own.insert(ending_.begin(), ending_.end());
  for (const auto& [id, run] : runs_) own.insert({run.pid, run.session});
  return own;
}

void Zygote::kill_all() {
  for (auto& [id, run] : runs_) {
    ::kill(run.pid, SIGKILL);
    wait_for(run.pid);
  }
  runs_.clear();
  for (const pid_t pid : std::exchange(ending_, {})) wait_for(pid);
  values_.end();
  resident_.end();
  snapshots_.end();
}

void Zygote::report_snapshots() {
  auto now = snapshots_.state();
  if (now == reported_) return;
  reported_ = now;
  send(now);
}

void Zygote::report_processes() {
  const protocol::Processes now{std::max(values_.pid(), 0), std::max(resident_.pid(), 0)};
  if (std::exchange(reported_processes_, now) != now) send(now);
}

void Zygote::send(const protocol::FromWorker& message) {
  (void)channel_.send(protocol::to_json(message).dump());
}

}  // namespace stest
