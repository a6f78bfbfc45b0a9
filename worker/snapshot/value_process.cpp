#include "worker/snapshot/value_process.hpp"

#include <unistd.h>

#include <cstdio>
#include <nlohmann/json.hpp>
#include <utility>

#include "worker/runner/runner.hpp"
#include "worker/snapshot/fork.hpp"

namespace stest {

namespace {

void send(LineChannel& channel, const protocol::FromWorker& message, const std::vector<int>& fds = {}) {
  (void)channel.send(protocol::to_json(message).dump(), fds);
}

/// Serves messages once the values are loaded: requests for forks.
class Server {
 public:
  Server(LineChannel& channel, Preloader& preloader) : channel_(channel), preloader_(preloader) {}

  void serve() {
    while (auto line = channel_.receive()) {
      if (!*line) return;
      const auto message =
          protocol::to_worker_from_json(nlohmann::json::parse((*line)->text, nullptr, /*exceptions=*/false));
      if (!message) return;
      fds_ = std::move((*line)->fds);
      if (const auto* request = std::get_if<protocol::RunTest>(&*message)) {
        run(*request);
      } else if (const auto* begin = std::get_if<protocol::GoOn>(&*message); begin && begin->request) {
        go_on(*begin);
      }
      fds_.clear();  // Whoever reads the output of the fork waits until nobody can write any more.
    }
  }

 private:
  void run(const protocol::RunTest& request) {
    auto link = make_link();
    const pid_t pid = link ? fork_run(::getppid()) : -1;
    if (pid == 0) {
      ::close(channel_.fd());
      auto recorder = std::move(link->recorder);
      link.reset();
      run_in_this_process(request, std::move(fds_), std::move(recorder), preloader_.environment_changes());
    }
    answer(pid, protocol::Started{request.id, pid}, link);
  }

  void go_on(const protocol::GoOn& message) {
    if (fds_.size() < 4) ::_exit(0);
    Fd inotify = std::move(fds_.front());
    fds_.erase(fds_.begin());
    auto stand_ins = StandIns::like(fds_);
    fds_.clear();
    auto link = stand_ins ? make_link() : std::nullopt;
    const pid_t pid = link ? fork_run(::getppid()) : -1;
    if (pid == 0) {
      ::close(channel_.fd());
      LineChannel own(std::move(link->own));
      auto recorder = std::move(link->recorder);
      link.reset();
      prime_in_this_process(own, std::move(inotify), std::move(*stand_ins), *message.request,
                            message.likes_cuda_since_ns, nullptr, std::move(recorder),
                            preloader_.environment_changes());
    }
    answer(pid, protocol::Snapshot{pid}, link);
  }

  void answer(pid_t pid, const protocol::FromWorker& forked, const std::optional<Link>& link) const {
    if (pid < 0) ::_exit(0);  // The zygote then forks the process itself.
    send(channel_, forked, {link->memory.get(), link->zygotes.get()});
  }

  LineChannel& channel_;
  Preloader& preloader_;
  std::vector<Fd> fds_;
};

}  // namespace

void ValueProcess::hold(const protocol::HoldValues& wanted) {
  end();
  auto process =
      wanted.values.empty() ? tl::unexpected(Error{}) : SnapshotProcess::fork([&](LineChannel& channel) {
        leave_();
        send(channel, preloader_.hold(wanted));
        Server(channel, preloader_).serve();
      });
  if (!process) return send_(protocol::Values{});
  is_loading_ = true;
  process_.emplace(std::move(*process));
}

void ValueProcess::attend() {
  if (!process_) return;
  const bool has_ended = process_->has_ended();  // Asked before reading, so that no message is lost.
  for (const auto& message : process_->receive()) {
    if (!std::holds_alternative<protocol::Values>(message)) continue;
    is_loading_ = false;
    send_(message);
  }
  if (!has_ended) return;
  const int status = process_->collect();
  process_.reset();
  if (!std::exchange(is_loading_, false)) return;
  std::fprintf(stderr, "stest-worker: the process that holds values ended while it loaded them (status %d)\n",
               status);
  send_(protocol::Values{});
}

void ValueProcess::end() {
  process_.reset();
  is_loading_ = false;
}

void ValueProcess::close_in_child() {
  if (process_) process_->close_in_child();
}

}  // namespace stest
