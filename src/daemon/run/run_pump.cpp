#include "daemon/run/run_pump.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <utility>

#include "daemon/run/last_failed.hpp"

namespace stest {

namespace {

constexpr std::size_t read_limit = 64u << 10;

// After the client vanished: SIGINT at once, then these, counted from that moment.
constexpr std::chrono::seconds terminate_after{5};
constexpr std::chrono::seconds kill_after{7};
/// A run that is hung gets SIGTERM at once, and SIGKILL after this.
constexpr std::chrono::seconds kill_hung_after{2};
/// A worker that has not reported a killed run's end after this is no worker any more.
constexpr std::chrono::seconds worker_patience{5};

/// Makes a pipe, keeps its non-blocking read end in `ours` and its write end in `theirs`.
Status connect(Fd& ours, Fd& theirs) {
  auto pipe = make_pipe();
  if (!pipe) return tl::unexpected(pipe.error());
  ours = std::move(pipe->read);
  theirs = std::move(pipe->write);
  return set_nonblocking(ours.get(), true);
}

/// Once tests run, output is held back for so long at most; and so much of it before.
constexpr std::chrono::seconds held_patience{1};
constexpr std::size_t held_limit = 16u << 20;
/// A process that is fresh has no reason to start over; this only bounds what should not happen.
constexpr int most_starts = 3;

protocol::RunTest message_for(const Run& run) {
  const auto& request = run.request;
  return {run.id,
          request.args,
          request.cwd,
          request.env,
          request.umask,
          mode_of(run.config),
          run.config.memory_limit.value_or(0),
          run.config.prime,
          request.process};
}

/// What is in a pipe now.
std::size_t bytes_in(int fd) {
  int count = 0;
  return ioctl(fd, FIONREAD, &count) == 0 ? static_cast<std::size_t>(count) : 0;
}

}  // namespace

/// What the runner gets, open until it has travelled. A stream that is missing goes to the terminal.
struct RunPump::RunnerEnds {
  Fd in, out, err, events, stacks;
};

RunPump::RunPump(WorkerProcess& worker, Run& run, const Listener& listener)
    : worker_(worker),
      run_(run),
      listener_(listener),
      silence_(run.config, Clock::now()),
      answers_(run.config.worker_timeout, Clock::now()),
      checked_(Clock::now()) {}

RunPump::~RunPump() {
  run_.control.detach();
  worker_.close_mailbox(run_.id);
}

RunReport RunPump::run() {
  follow();
  while (may_start_over()) {
    start_over();
    follow();
  }
  // Before `drain`: a client that vanishes now changes nothing any more.
  report_.cancelled = run_.control.strongest();
  report_.cancel_reason = run_.control.reason();
  look_for_oom();
  drain();
  report_.has_tested = lines_.tally().has_started();
  if (reason_for_cold(report_)) drop_held_output();
  release();
  conclude();
  report_.observations = lines_.observations();
  return std::move(report_);
}

/// What is known of a run whose process has ended.
void RunPump::conclude() {
  report_.nodeid = lines_.nodeid();
  if (!is_unfinished(report_) || reason_for_cold(report_) || !lines_.tally().has_tests()) return;
  const auto& nodeid = last_test(report_);
  auto& unfinished = report_.unfinished.emplace(lines_.tally().unfinished(nodeid));
  const bool is_to_blame =
      report_.done && (!report_.cancelled || report_.cancel_reason == CancelReason::hung);
  const auto culprit = is_to_blame ? nodeid : "";
  unfinished.last_failed = tell_last_failed(culprit) && !(culprit.empty() && unfinished.failed.empty());
}

/// Whether pytest's `--lf` will know what has failed, and `culprit`.
bool RunPump::tell_last_failed(const std::string& culprit) {
  const auto& file = lines_.last_failed_file();
  if (file.empty()) return false;
  const auto told =
      complete_last_failed(file, lines_.tally(), culprit, static_cast<mode_t>(run_.request.umask));
  if (!told) spdlog::warn("run {}: {}", run_.id, told.error().message);
  return told.has_value();
}

/// One process of the run, from its start to its end.
void RunPump::follow() {
  ++starts_;
  if (auto launched = launch(); !launched) {
    report_.launch_error = launched.error().message;
    return;
  }
  while (!over()) step();
}

bool RunPump::may_start_over() const {
  return mode_of(run_.config) == protocol::RunMode::resident && report_.done &&
         report_.done->phase == protocol::Phase::starts_over && !lines_.settled() && starts_ < most_starts &&
         !run_.control.strongest();
}

void RunPump::start_over() {
  const auto reason = report_.done->nodeid;
  spdlog::info("run {}: starts over: {}", run_.id, reason);
  emit(event::Notice{"started a clean process: " + reason});
  for (auto& shown : shown_) shown.start_over();
  if (terminal_) terminal_->mark_start_over();
  run_.control.detach();
  worker_.close_mailbox(run_.id);
  report_.done.reset();
  lines_ = {};
  forget_held();
}

void RunPump::open_client_files(RunnerEnds& ends) {
  const auto& request = run_.request;
  terminal_.reset();
  if (request.terminal) {
    auto terminal = ClientTerminal::open(request.terminal->file);
    if (terminal) {
      terminal_ = std::move(*terminal);
    } else {
      emit(event::Notice{"no terminal for the tests: " + terminal.error().message});
    }
  }
  if (!request.input) return;
  auto input = open_client_input(*request.input);
  if (input) {
    ends.in = std::move(*input);
  } else {
    emit(event::Notice{"an empty stdin for the tests: " + input.error().message});
  }
}

Status RunPump::open_streams(RunnerEnds& ends) {
  open_client_files(ends);
  const auto shared = terminal_ ? *run_.request.terminal : Terminal{};
  if (!ends.in && !shared.in) {
    ends.in = Fd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    if (!ends.in) return errno_error("open /dev/null");
  }
  if (!shared.out) {
    if (auto made = connect(out_, ends.out); !made) return made;
  }
  if (!shared.err && !run_.request.merge_streams) {
    if (auto made = connect(err_, ends.err); !made) return made;
  }
  if (auto made = connect(events_, ends.events); !made) return made;
  auto stacks = silence_.connect();
  if (!stacks) return tl::unexpected(stacks.error());
  ends.stacks = std::move(*stacks);
  return {};
}

std::vector<int> RunPump::fds_of(const RunnerEnds& ends) const {
  const auto or_terminal = [this](const Fd& fd) { return fd || !terminal_ ? fd.get() : terminal_->fd(); };
  const auto& err = !ends.err && run_.request.merge_streams ? ends.out : ends.err;
  return {or_terminal(ends.in), or_terminal(ends.out), or_terminal(err), ends.events.get(),
          ends.stacks.get()};
}

Status RunPump::launch() {
  RunnerEnds ends;
  if (auto opened = open_streams(ends); !opened) return opened;
  auto mailbox = worker_.open_mailbox(run_.id);
  if (!mailbox) return tl::unexpected(mailbox.error());
  mailbox_ = *mailbox;
  oom_.emplace(worker_.pid());  // Whose cgroup the tests' process will be in.
  answers_.asked();
  // A worker that dies here is seen in the mailbox, which knows how it died.
  if (auto sent = worker_.send(message_for(run_), fds_of(ends)); !sent) {
    spdlog::warn("run {}: {}", run_.id, sent.error().message);
    // Of one that does not read, `answers_` will know.
    if (sent.error().code != ErrorCode::worker_failed) worker_.kill();
    return {};
  }
  run_.control.attach([this](int signal) { (void)worker_.send(protocol::Signal{run_.id, signal}); });
  return {};
}

void RunPump::step() {
  std::array<pollfd, 5> polled{{{out_.get(), POLLIN, 0},
                                {err_.get(), POLLIN, 0},
                                {events_.get(), POLLIN, 0},
                                {mailbox_->fd(), POLLIN, 0},
                                {silence_.fd(), POLLIN, 0}}};
  ::poll(polled.data(), polled.size(), poll_timeout());
  if (polled[3].revents) read_mail();
  if (polled[0].revents) read_output(out_, Stream::out);
  if (polled[1].revents) read_output(err_, Stream::err);
  if (polled[2].revents) read_events();
  if (polled[4].revents) silence_.read();
  if (test_since_ && Clock::now() - *test_since_ > held_patience) release();
  check_client();
  check_worker();
  check_silence();
  escalate();
}

int RunPump::poll_timeout() const {
  auto wait = std::chrono::ceil<std::chrono::milliseconds>(liveness_interval);
  if (const auto left = hung_ ? std::nullopt : silence_.remaining(Clock::now())) {
    wait = std::min(wait, std::chrono::ceil<std::chrono::milliseconds>(*left));
  }
  return static_cast<int>(std::max<std::int64_t>(wait.count(), 0));
}

void RunPump::read_mail() {
  const auto content = mailbox_->take();
  if (!content.messages.empty()) answers_.answered();
  for (const auto& message : content.messages) {
    if (const auto* started = std::get_if<protocol::Started>(&message)) {
      runner_ = started->pid;
      has_begun_ = true;
      emit(event::Started{run_.id, started->pid, terminal_.has_value()});
    } else if (const auto* done = std::get_if<protocol::Done>(&message)) {
      report_.done = *done;
      report_.left.insert(report_.left.end(), done->left.begin(), done->left.end());
    }
  }
  if (!content.death) return;
  report_.worker_death = content.death;
  report_.given_up = worker_.why_given_up();
  report_.may_be_repeated = !report_.given_up.empty() && !has_begun_;
}

void RunPump::read_output(Fd& pipe, Stream stream) {
  auto read = read_some(pipe.get(), read_limit);
  if (!read || read->end) return pipe.reset();
  if (read->would_block) return;
  const auto size = read->data.size();
  has_begun_ = true;
  take(event::Output{stream, std::move(read->data)}, size);
  silence_.heard(Clock::now());
}

void RunPump::take(Event event, std::size_t size) {
  if (!holds_back_) return show(event);
  held_bytes_ += size;
  held_.push_back(std::move(event));
  if (held_bytes_ > held_limit) release();
}

void RunPump::release() {
  holds_back_ = false;
  for (const auto& event : std::exchange(held_, {})) show(event);
}

void RunPump::forget_held() {
  held_.clear();
  held_bytes_ = 0;
  test_since_.reset();
  holds_back_ = true;
}

/// A cold run says it all.
void RunPump::drop_held_output() {
  std::erase_if(held_, [](const Event& event) { return std::holds_alternative<event::Output>(event); });
}

void RunPump::show(const Event& event) {
  const auto* output = std::get_if<event::Output>(&event);
  if (output == nullptr) return emit(event);
  const auto news = shown_[static_cast<std::size_t>(output->stream)].news(output->data);
  if (news.size() == output->data.size()) return emit(event);
  if (!news.empty()) emit(event::Output{output->stream, std::string(news)});
}

void RunPump::read_events() {
  auto read = read_some(events_.get(), read_limit);
  if (!read || read->end) return events_.reset();
  if (read->would_block) return;
  has_begun_ = true;
  take_events(read->data);
}

void RunPump::take_events(std::string_view bytes) {
  for (auto& event : lines_.feed(bytes)) {
    const auto* test = std::get_if<event::Test>(&event);
    if (test != nullptr && test->when == "start") test_started();
    take(std::move(event), sizeof(Event));
    silence_.heard(Clock::now());
  }
  if (!lines_.settled()) return;
  if (holds_back_) release();
  for (auto& shown : shown_) shown.settle();
}

void RunPump::test_started() {
  const auto now = Clock::now();
  silence_.test_started(now);
  if (!test_since_) test_since_ = now;
}

// All that the tests' process wrote is in the pipes by now. Processes that it left behind may hold
// them open and go on writing, so what is there now is read, and not until the end of file.
void RunPump::drain() {
  const auto empty = [](const Fd& pipe, auto use) {
    for (auto left = pipe ? bytes_in(pipe.get()) : 0; left > 0;) {
      auto read = read_some(pipe.get(), std::min(left, read_limit));
      if (!read || read->data.empty()) return;
      left -= read->data.size();
      use(std::move(read->data));
    }
  };
  const auto output = [this](Stream stream) {
    return [this, stream](std::string data) {
      const auto size = data.size();
      take(event::Output{stream, std::move(data)}, size);
    };
  };
  empty(out_, output(Stream::out));
  empty(err_, output(Stream::err));
  empty(events_, [this](const std::string& data) { take_events(data); });
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

/// A worker never has a reason not to answer: all that takes long is done by its children.
void RunPump::check_worker() {
  answers_.tick(Clock::now());
  if (over()) return;
  if (answers_.is_over()) {
    answers_.answered();  // Its death is the answer.
    worker_.give_up("did not answer for " + seconds_text(run_.config.worker_timeout));
  } else if (answers_.should_ask()) {
    answers_.asked();
    (void)worker_.send(protocol::Ping{run_.id});
  }
}

void RunPump::look_for_oom() {
  const auto signal = report_.done           ? report_.done->signal
                      : report_.worker_death ? report_.worker_death->signal
                                             : std::nullopt;
  if (signal == SIGKILL && oom_) report_.oom = oom_->evidence(report_.done ? runner_ : worker_.pid());
}

void RunPump::check_silence() {
  if (over() || hung_) return;
  const auto now = Clock::now();
  if (run_.control.is_suspended() || (terminal_ && terminal_->is_in_use())) silence_.heard(now);
  if (run_.control.take_stack_wish()) silence_.want();
  if (silence_.must_ask(now)) (void)worker_.send(protocol::DumpStack{run_.id});
  const auto stuck = silence_.report(lines_.nodeid(), now);
  if (!stuck) return;
  spdlog::info("run {}: silent for {:.1f} s {}", run_.id, stuck->seconds, stuck->nodeid);
  emit(*stuck);
  if (!silence_.is_hung(now)) return;
  hung_ = now;
  report_.silent_s = stuck->seconds;
  run_.control.cancel(CancelHow::terminate, CancelReason::hung);
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
  if (hung_ && now - *hung_ > kill_hung_after && strongest < CancelHow::kill) {
    run_.control.cancel(CancelHow::kill, CancelReason::hung);
  }
  if (strongest != CancelHow::kill) return;
  if (!killed_) killed_ = now;
  if (now - *killed_ > worker_patience) worker_.kill();
}

}  // namespace stest
