#include "daemon/run_pump.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <array>
#include <utility>

namespace stest {

namespace {

constexpr std::size_t read_limit = 64u << 10;

// After the client vanished: SIGINT at once, then these, counted from that moment.
constexpr std::chrono::seconds terminate_after{5};
constexpr std::chrono::seconds kill_after{7};
/// A worker that has not reported a killed run's end after this is no worker any more.
constexpr std::chrono::seconds worker_patience{5};

/// The runner's ends of the pipes, in the order in which they travel.
struct RunnerEnds {
  Fd in, out, err, events;

  std::vector<int> fds() const { return {in.get(), out.get(), err ? err.get() : out.get(), events.get()}; }
};

/// Makes a pipe, keeps its non-blocking read end in `ours` and its write end in `theirs`.
Status connect(Fd& ours, Fd& theirs) {
  auto pipe = make_pipe();
  if (!pipe) return tl::unexpected(pipe.error());
  ours = std::move(pipe->read);
  theirs = std::move(pipe->write);
  return set_nonblocking(ours.get(), true);
}

/// Nothing is to be unloaded: in `reload = "clean"` the worker holds no project code.
protocol::RunTest message_for(const Run& run) {
  return {run.id, run.request.args, run.request.cwd, run.request.env, run.request.umask, {}};
}

/// What is in a pipe now.
std::size_t bytes_in(int fd) {
  int count = 0;
  return ioctl(fd, FIONREAD, &count) == 0 ? static_cast<std::size_t>(count) : 0;
}

}  // namespace

RunPump::RunPump(WorkerProcess& worker, Run& run, const Listener& listener)
    : worker_(worker),
      run_(run),
      listener_(listener),
      silence_(run.config.stuck_after, Clock::now()),
      checked_(Clock::now()) {}

RunPump::~RunPump() {
  run_.control.detach();
  worker_.close_mailbox(run_.id);
}

RunReport RunPump::run() {
  if (auto launched = launch(); !launched) {
    report_.launch_error = launched.error().message;
  } else {
    while (!over()) step();
  }
  // Before `drain`: a client that vanishes now changes nothing any more.
  report_.cancelled = run_.control.strongest();
  report_.cancel_reason = run_.control.reason();
  drain();
  report_.nodeid = lines_.nodeid();
  report_.imported = lines_.imported();
  return std::move(report_);
}

Status RunPump::launch() {
  RunnerEnds ends;
  ends.in = Fd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!ends.in) return errno_error("open /dev/null");
  if (auto made = connect(out_, ends.out); !made) return made;
  if (!run_.request.merge_streams) {
    if (auto made = connect(err_, ends.err); !made) return made;
  }
  if (auto made = connect(events_, ends.events); !made) return made;
  auto mailbox = worker_.open_mailbox(run_.id);
  if (!mailbox) return tl::unexpected(mailbox.error());
  mailbox_ = *mailbox;
  // A worker that dies here is seen in the mailbox, which knows how it died.
  if (auto sent = worker_.send(message_for(run_), ends.fds()); !sent) {
    spdlog::warn("run {}: {}", run_.id, sent.error().message);
    worker_.kill();
    return {};
  }
  run_.control.attach([this](int signal) { (void)worker_.send(protocol::Signal{run_.id, signal}); });
  return {};
}

void RunPump::step() {
  std::array<pollfd, 4> polled{{{out_.get(), POLLIN, 0},
                                {err_.get(), POLLIN, 0},
                                {events_.get(), POLLIN, 0},
                                {mailbox_->fd(), POLLIN, 0}}};
  ::poll(polled.data(), polled.size(), poll_timeout());
  if (polled[3].revents) read_mail();
  if (polled[0].revents) read_output(out_, Stream::out);
  if (polled[1].revents) read_output(err_, Stream::err);
  if (polled[2].revents) read_events();
  check_client();
  check_silence();
  escalate();
}

int RunPump::poll_timeout() const {
  auto wait = std::chrono::ceil<std::chrono::milliseconds>(liveness_interval);
  if (const auto left = silence_.remaining(Clock::now())) {
    wait = std::min(wait, std::chrono::ceil<std::chrono::milliseconds>(*left));
  }
  return static_cast<int>(std::max<std::int64_t>(wait.count(), 0));
}

void RunPump::read_mail() {
  const auto content = mailbox_->take();
  for (const auto& message : content.messages) {
    if (const auto* started = std::get_if<protocol::Started>(&message)) {
      emit(event::Started{run_.id, started->pid});
    } else if (const auto* done = std::get_if<protocol::Done>(&message)) {
      report_.done = *done;
    }
  }
  if (content.death) report_.worker_death = content.death;
}

void RunPump::read_output(Fd& pipe, Stream stream) {
  auto read = read_some(pipe.get(), read_limit);
  if (!read || read->end) return pipe.reset();
  if (read->would_block) return;
  emit(event::Output{stream, std::move(read->data)});
  silence_.heard(Clock::now());
}

void RunPump::read_events() {
  auto read = read_some(events_.get(), read_limit);
  if (!read || read->end) return events_.reset();
  if (!read->would_block) take_events(read->data);
}

void RunPump::take_events(std::string_view bytes) {
  for (auto& test : lines_.feed(bytes)) {
    emit(std::move(test));
    silence_.heard(Clock::now());
  }
}

// All that the tests' process wrote is in the pipes by now. Processes that it left behind may hold
// them open and go on writing, so what is there now is read, and not until the end of file.
void RunPump::drain() {
  const auto take = [](const Fd& pipe, auto use) {
    for (auto left = pipe ? bytes_in(pipe.get()) : 0; left > 0;) {
      auto read = read_some(pipe.get(), std::min(left, read_limit));
      if (!read || read->data.empty()) return;
      left -= read->data.size();
      use(std::move(read->data));
    }
  };
  take(out_, [this](std::string data) { emit(event::Output{Stream::out, std::move(data)}); });
  take(err_, [this](std::string data) { emit(event::Output{Stream::err, std::move(data)}); });
  take(events_, [this](const std::string& data) { take_events(data); });
}

void RunPump::emit(const Event& event) {
  if (!vanished_ && !listener_.emit(event)) client_vanished();
}

void RunPump::check_client() {
  const auto now = Clock::now();
  if (vanished_ || now - checked_ < liveness_interval) return;
  checked_ = now;
  if (!listener_.alive()) client_vanished();
}

void RunPump::client_vanished() {
  vanished_ = Clock::now();
  spdlog::info("run {}: the client is gone; interrupting the tests", run_.id);
  run_.control.cancel(CancelHow::interrupt, CancelReason::vanished);
}

void RunPump::check_silence() {
  if (over()) return;
  const auto silent = silence_.due(Clock::now());
  if (!silent) return;
  spdlog::info("run {}: silent for {:.1f} s {}", run_.id, silent->count(), lines_.nodeid());
  emit(event::Stuck{silent->count(), lines_.nodeid()});
}

void RunPump::escalate() {
  const auto now = Clock::now();
  const auto strongest = run_.control.strongest();
  if (vanished_ && now - *vanished_ > terminate_after && strongest < CancelHow::terminate) {
    run_.control.cancel(CancelHow::terminate, CancelReason::vanished);
  }
  if (vanished_ && now - *vanished_ > kill_after && strongest < CancelHow::kill) {
    run_.control.cancel(CancelHow::kill, CancelReason::vanished);
  }
  if (strongest != CancelHow::kill) return;
  if (!killed_) killed_ = now;
  if (now - *killed_ > worker_patience) worker_.kill();
}

}  // namespace stest
