#include "daemon/run/run_pump.hpp"

#include <poll.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <utility>

#include "daemon/run/last_failed.hpp"

namespace stest {

namespace {

// After the client has gone, the run gets SIGINT at once, then SIGTERM and SIGKILL after these times.
constexpr std::chrono::seconds terminate_after{5};
constexpr std::chrono::seconds kill_after{7};
/// A hung run gets SIGTERM at once, and SIGKILL after this time.
constexpr std::chrono::seconds kill_hung_after{2};
/// A worker is killed if it does not report the end of a killed run within this time.
constexpr std::chrono::seconds worker_patience{5};

/// A clean process does not start over, so this limit should never be reached.
constexpr int most_starts = 3;

}  // namespace

RunPump::RunPump(WorkerProcess& worker, Run& run, const Listener& listener)
    : worker_(worker),
      run_(run),
      listener_(listener),
      held_([this](const Event& event) { return emit(event); }),
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
  // Before `drain`: if the client goes now, this does not change the result any more.
  report_.is_program = run_.request.python;
  report_.cancelled = run_.control.strongest();
  report_.cancel_reason = run_.control.reason();
  look_for_oom();
  streams_.drain(
      [this](Stream stream, std::string data) {
        const auto size = data.size();
        held_.add(event::Output{stream, std::move(data)}, size);
      },
      [this](const std::string& data) { take_events(data); });
  report_.has_tested = lines_.tally().has_started();
  held_.finish(reason_for_cold(report_).has_value());
  conclude();
  report_.observations = lines_.observations();
  return std::move(report_);
}

/// Completes the report after the process has ended.
void RunPump::conclude() {
  report_.nodeid = lines_.running().nodeid();
  if (!is_unfinished(report_) || reason_for_cold(report_) || !lines_.tally().has_tests()) return;
  const auto& nodeid = last_test(report_);
  auto& unfinished = report_.unfinished.emplace(lines_.tally().unfinished(nodeid));
  const bool is_to_blame =
      report_.done && (!report_.cancelled || report_.cancel_reason == CancelReason::hung);
  const auto culprit = is_to_blame ? nodeid : "";
  unfinished.last_failed = tell_last_failed(culprit) && !(culprit.empty() && unfinished.failed.empty());
}

/// Writes the file for pytest's `--lf`. Returns whether `--lf` will know the failed tests and `culprit`.
bool RunPump::tell_last_failed(const std::string& culprit) {
  const auto& file = lines_.last_failed_file();
  if (file.empty()) return false;
  const auto told =
      complete_last_failed(file, lines_.tally(), culprit, static_cast<mode_t>(run_.request.umask));
  if (!told) spdlog::warn("run {}: {}", run_.id, told.error().message);
  return told.has_value();
}

/// Follows one process of the run from its start to its end.
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
  held_.start_over();
  if (streams_.terminal()) streams_.terminal()->mark_start_over();
  run_.control.detach();
  worker_.close_mailbox(run_.id);
  report_.done.reset();
  lines_ = {};
}

Status RunPump::launch() {
  const auto& request = run_.request;
  auto theirs = streams_.open(request, [this](const auto& text) { emit(event::Notice{text}); });
  if (!theirs) return tl::unexpected(theirs.error());
  const auto stacks = silence_.connect();
  if (!stacks) return tl::unexpected(stacks.error());
  auto mailbox = worker_.open_mailbox(run_.id);
  if (!mailbox) return tl::unexpected(mailbox.error());
  mailbox_ = *mailbox;
  oom_.emplace(worker_.pid());  // The tests' process will be in the cgroup of the worker.
  answers_.asked();
  // If the worker dies here, the mailbox reports how.
  auto fds = streams_.fds_of(*theirs, request.merge_streams);
  for (std::size_t i = 0; i < run_.fds.size(); ++i) fds.at(i) = run_.fds[i].get();
  fds.push_back(stacks->get());
  if (auto sent = worker_.send(message_for(run_), fds); !sent) {
    spdlog::warn("run {}: {}", run_.id, sent.error().message);
    // If the worker does not read, `answers_` detects this.
    if (sent.error().code != ErrorCode::worker_failed) worker_.kill();
    return {};
  }
  run_.control.attach([this](int signal) { (void)worker_.send(protocol::Signal{run_.id, signal}); });
  return {};
}

void RunPump::step() {
  std::array<pollfd, 5> polled{{{streams_.out().get(), POLLIN, 0},
                                {streams_.err().get(), POLLIN, 0},
                                {streams_.events().get(), POLLIN, 0},
                                {mailbox_->fd(), POLLIN, 0},
                                {silence_.fd(), POLLIN, 0}}};
  ::poll(polled.data(), polled.size(), poll_timeout());
  if (polled[3].revents) read_mail();
  if (polled[0].revents) read_output(streams_.out(), Stream::out);
  if (polled[1].revents) read_output(streams_.err(), Stream::err);
  if (polled[2].revents) read_events();
  if (polled[4].revents) silence_.read();
  held_.tick(Clock::now());
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
      run_.fds.clear();  // Whoever reads its output waits until nobody can write any more.
      emit(event::Started{run_.id, started->pid, streams_.terminal().has_value()});
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
  held_.add(event::Output{stream, std::move(read->data)}, size);
  silence_.heard(Clock::now());
}

void RunPump::read_events() {
  auto read = read_some(streams_.events().get(), read_limit);
  if (!read || read->end) return streams_.events().reset();
  if (read->would_block) return;
  has_begun_ = true;
  take_events(read->data);
}

void RunPump::take_events(std::string_view bytes) {
  for (auto& event : lines_.feed(bytes)) {
    const auto* test = std::get_if<event::Test>(&event);
    if (test != nullptr && test->when == "start") held_.test_started(Clock::now());
    held_.add(std::move(event), sizeof(Event));
    silence_.heard(Clock::now());
  }
  if (lines_.settled()) held_.settle();
}

bool RunPump::emit(const Event& event) {
  if (!vanished_ && !listener_.emit(event)) client_vanished();
  return !vanished_;
}

void RunPump::check_client() {
  const auto now = Clock::now();
  if (vanished_ || now - checked_ < liveness_interval) return;
  checked_ = now;
  if (!listener_.alive()) client_vanished();
}

void RunPump::client_vanished() {
  vanished_ = Clock::now();
  const auto how = run_.request.python ? CancelHow::kill : CancelHow::interrupt;
  spdlog::info("run {}: the client is gone; ending the run", run_.id);
  run_.control.cancel(how, CancelReason::vanished);
}

/// A worker can always answer, because its children do everything that takes long.
void RunPump::check_worker() {
  answers_.tick(Clock::now());
  if (over()) return;
  if (answers_.is_over()) {
    answers_.answered();  // It will be killed; no answer is owed any more.
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
  if (run_.control.is_suspended() || (streams_.terminal() && streams_.terminal()->is_in_use()))
    silence_.heard(now);
  if (run_.control.take_stack_wish()) silence_.want();
  if (silence_.must_ask(now)) {
    (void)worker_.send(protocol::DumpStack{run_.id});
    run_.programs.ask();
  }
  auto stuck = silence_.report(lines_.running(), now, run_.programs.have_answered());
  if (!stuck) return;
  if (auto stacks = run_.programs.stacks(); !stacks.empty()) stuck->stack = std::move(stacks);
  run_.control.give_stack(stuck->stack);
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
