#include "zygote.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>

#include "common/process.hpp"
#include "fork.hpp"

namespace stest {

Zygote::Zygote(LineChannel& channel, Preloader& preloader, std::vector<std::string> self)
    : channel_(channel), preloader_(preloader), self_(std::move(self)) {}

int Zygote::serve() {
  sigchld_fd();
  std::vector<Fd> fds;
  // The greeting: pytest alone is warm.
  bool go_on = handle(protocol::Preload{}, fds);
  while (go_on) {
    if (!channel_.has_buffered_line()) wait_for_event();
    reap();
    pollfd readable{channel_.fd(), POLLIN, 0};
    if (channel_.has_buffered_line() || ::poll(&readable, 1, 0) > 0) go_on = handle_line();
  }
  kill_all();
  return 0;
}

void Zygote::wait_for_event() {
  pollfd fds[] = {{channel_.fd(), POLLIN, 0}, {sigchld_fd(), POLLIN, 0}};
  ::poll(fds, 2, -1);
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
  const auto importing = [&](const std::string& name) { send(protocol::Importing{name}); };
  if (auto unfit = preloader_.load(message.modules, importing)) {
    send(*unfit);
    return false;
  }
  modules_.insert(modules_.end(), message.modules.begin(), message.modules.end());
  // Nothing that pytest imports has threads: the greeting needs no canary.
  if (auto reason = message.modules.empty() ? std::nullopt : canary()) {
    send(protocol::Unfit{find_culprit(modules_), *reason});
    return false;
  }
  send(preloader_.account());
  return true;
}

std::string Zygote::find_culprit(const std::vector<std::string>& modules) const {
  // Whether a fork of a process that imported the first `count` of them is healthy.
  const auto healthy = [&](std::size_t count) {
    SpawnOptions probe;
    probe.executable = self_.front();
    probe.args.assign(self_.begin() + 1, self_.end());
    probe.fds = {{2, 2}};
    probe.args.insert(probe.args.end(), modules.begin(),
                      modules.begin() + static_cast<std::ptrdiff_t>(count));
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

bool Zygote::handle(const protocol::RunTest& message, std::vector<Fd>& fds) {
  auto recorder = FlightRecorder::create();
  const pid_t pid = recorder && fds.size() == 4 ? fork_python() : -1;
  if (pid == 0) {
    ::close(channel_.fd());
    run_in_this_process(message, std::move(fds), std::move(*recorder), preloader_.environment_changes());
  }
  if (pid < 0) {
    protocol::Done done;
    done.id = message.id;
    done.error = "cannot fork a process for the tests";
    send(done);
    return true;
  }
  runs_.emplace(message.id, Run{pid, std::move(*recorder)});
  send(protocol::Started{message.id, pid});
  return true;
}

bool Zygote::handle(const protocol::Signal& message, std::vector<Fd>&) {
  // To the group, as a terminal would: the tests' own children get it as well. The runner is not
  // reaped yet, so that its number cannot belong to anybody else.
  const auto run = runs_.find(message.id);
  if (run == runs_.end()) return true;
  if (::kill(-run->second.pid, message.signal) != 0) ::kill(run->second.pid, message.signal);
  return true;
}

bool Zygote::handle(const protocol::Shutdown&, std::vector<Fd>&) { return false; }

void Zygote::reap() {
  drain_sigchld();
  for (auto run = runs_.begin(); run != runs_.end();) {
    siginfo_t info{};
    ::waitid(P_PID, static_cast<id_t>(run->second.pid), &info, WEXITED | WNOHANG | WNOWAIT);
    if (info.si_pid != run->second.pid) {
      ++run;
      continue;
    }
    // What the tests left in their group ends with them; before reaping, while the number is ours.
    ::kill(-run->second.pid, SIGKILL);
    int status = 0;
    ::waitpid(run->second.pid, &status, 0);
    finish(run->first, run->second, status);
    run = runs_.erase(run);
  }
}

void Zygote::finish(std::uint64_t id, Run& run, int status) {
  protocol::Done done;
  done.id = id;
  done.phase = run.recorder.phase();
  done.nodeid = run.recorder.nodeid();
  if (WIFEXITED(status)) done.exit_code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) done.signal = WTERMSIG(status);
  send(done);
}

void Zygote::kill_all() {
  for (auto& [id, run] : runs_) {
    ::kill(-run.pid, SIGKILL);
    ::kill(run.pid, SIGKILL);
    wait_for(run.pid);
  }
  runs_.clear();
}

void Zygote::send(const protocol::FromWorker& message) {
  (void)channel_.send(protocol::to_json(message).dump());
}

}  // namespace stest
