#include "cli/run/warm_run.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <mutex>
#include <nlohmann/json.hpp>
#include <system_error>

#include "cli/cancel.hpp"
#include "cli/run/output.hpp"
#include "cli/run/run_position.hpp"
#include "cli/run/stack_text.hpp"
#include "cli/run/termination.hpp"
#include "cli/terminal/standard_input.hpp"
#include "cli/terminal/terminal_link.hpp"
#include "client/backoff.hpp"
#include "client/client.hpp"
#include "client/daemon_launcher.hpp"

namespace stest {
namespace {

// How many daemons are tried for a run that none has begun.
constexpr int attempts = 3;

int current_umask() {
  const auto mask = ::umask(0);
  ::umask(mask);
  return static_cast<int>(mask);
}

RunRequest make_request(const RunOptions& options, const Project& project) {
  RunRequest request;
  request.args = options.pytest_args;
  request.cwd = project.cwd.string();
  request.env = project.env;
  if (options.stuck_after) request.env["SPRINTEST_STUCK_AFTER"] = *options.stuck_after;
  request.umask = current_umask();
  request.process = current_attributes();
  request.wait = !options.no_wait;
  if (!options.events && !options.detached) request.cold_pid = ::getpid();
  request.merge_streams = !options.events && are_same_file(1, 2);
  return request;
}

bool belongs_to_tests(const Event& event) {
  return std::holds_alternative<event::Started>(event) || std::holds_alternative<event::Output>(event) ||
         std::holds_alternative<event::Test>(event);
}

/// Whether a silent run does not show it.
bool is_hidden_if_silent(const Event& event) {
  return std::holds_alternative<event::Output>(event) || std::holds_alternative<event::Notice>(event) ||
         std::holds_alternative<event::Done>(event);
}

/// The errors with which a run ends if the daemon has no process for it.
constexpr std::array<ErrorCode, 3> failures{ErrorCode::daemon_unavailable, ErrorCode::worker_failed,
                                            ErrorCode::internal};

std::optional<ErrorCode> failure_of_stest(const event::Done& done) {
  for (const auto code : failures) {
    if (done.exit_code == static_cast<int>(exit_code(code))) return code;
  }
  return std::nullopt;
}

/// One run from the request to its last event. More than one daemon may be tried.
class Run {
 public:
  Run(const RunOptions& options, const Project& project, Console& console, std::function<void()> on_leave)
      : console_(console),
        launcher_(project.paths, own_installation(project.env),
                  [this](const std::string& line) { console_.say(line); }),
        request_(make_request(options, project)),
        events_(options.events),
        is_collected_(options.report == Report::json),
        detached_(options.detached),
        silent_(options.silent),
        modes_(TerminalStreams::of_this_process().fd),
        output_(console, is_very_quiet(options.pytest_args)),
        on_leave_(std::move(on_leave)),
        termination_({[this] { report(client()->ask_stack(run_)); },
                      [this] { report(client()->cancel(run_, CancelHow::terminate)); },
                      [this] { leave(SIGTERM); }}),
        canceller_({[this](auto id, auto how) { cancel(id, how); }, [this](int signal) { leave(signal); },
                    [this](auto) { end(); }}) {}

  tl::expected<WarmResult, NoResult> execute() {
    share_streams();
    timings_.end_stage("client", monotonic_ns());
    auto result = ask_daemons();
    if (terminal_) terminal_->finish();
    if (!result) return tl::unexpected(NoResult{result.error(), may_have_run_});
    if (!may_have_run_ && failure_of_stest(result->done)) {
      return tl::unexpected(
          NoResult{{*failure_of_stest(result->done), result->done.message, result->done.hint}});
    }
    result->timings = timings_of(result->done);
    return *std::move(result);
  }

  bool may_have_run() const { return may_have_run_; }

 private:
  Result<WarmResult> ask_daemons() {
    Backoff backoff;
    for (int attempt = 1;; ++attempt, backoff.wait()) {
      const auto daemon = launcher_.ensure();
      if (!daemon) return tl::unexpected(daemon.error());
      const auto done = ask(DaemonClient(daemon->endpoint));
      if (done) return result(*done);
      const event::Done unread{static_cast<int>(ExitCode::tests_failed), Outcome::cancelled, "", "", 0};
      if (reader_has_left_) return result(unread);
      if (!may_start_over(done.error()) || attempt == attempts) return tl::unexpected(done.error());
    }
  }

  void share_streams() {
    if (detached_) return;
    if (!events_) share_terminal();
    if (request_.terminal && request_.terminal->in) return;
    input_.emplace();
    request_.input = input_->file();
  }

  void share_terminal() {
    const auto streams = TerminalStreams::of_this_process();
    if (streams.fd < 0) return;
    auto link = TerminalLink::open(streams, modes_, console_,
                                   {[this](bool counts, bool reaches_tests) {
                                      if (counts) cancelled_ = true;
                                      canceller_.typed(counts, reaches_tests);
                                    },
                                    [this](bool on) { suspend(on); }});
    if (!link) return console_.say(link.error());
    terminal_ = std::move(*link);
    request_.terminal = terminal_->description();
  }

  Result<event::Done> ask(const DaemonClient& client) {
    {
      const std::lock_guard lock(mutex_);
      client_ = client;
    }
    return client.run(request_, [this](const Event& event) { return take(event); });
  }

  WarmResult result(event::Done done) {
    const bool interactive = terminal_ && terminal_->was_typed();
    const auto ended_by = termination_.has_begun() ? std::optional(SIGTERM) : std::nullopt;
    const bool is_cancelled = cancelled_ || reader_has_left_;
    return {std::move(done),
            std::move(tests_),
            std::move(notices_),
            interactive,
            {},
            is_cancelled,
            ended_by,
            run_};
  }

  /// This process's stages, then the daemon's. In another time namespace the daemon's clock differs, so its
  /// stages are cut off at the present time.
  Timings timings_of(const event::Done& done) const {
    const auto now = monotonic_ns();
    auto at = done.timings.begin_ns;
    auto all = timings_;
    all.end_stage("connect", std::min(at, now));
    for (const auto& stage : done.timings.stages) all.end_stage(stage.name, std::min(at += stage.ns, now));
    return all;
  }

  bool take(const Event& event) {
    has_begun_ = true;
    position_.take(event);
    if (belongs_to_tests(event)) may_have_run_ = true;
    if (const auto* test = std::get_if<event::Test>(&event)) tests_.push_back(*test);
    if (const auto* notice = std::get_if<event::Notice>(&event)) notices_.push_back(notice->text);
    if (terminal_ && std::holds_alternative<event::Test>(event)) terminal_->settle();
    if (const auto* done = std::get_if<event::Done>(&event)) {
      if (terminal_) terminal_->finish(done->exit_code == static_cast<int>(ExitCode::needs_cold));
      termination_.run_ended();
    }
    reader_has_left_ = !show(event);
    if (const auto* started = std::get_if<event::Started>(&event)) begin(*started);
    return !reader_has_left_;
  }

  void begin(const event::Started& started) {
    run_ = started.id;
    canceller_.run_started(started.id);
    if (input_) input_->begin();
    if (terminal_ && started.terminal) terminal_->begin();
  }

  bool show(const Event& event) {
    const auto* stuck = std::get_if<event::Stuck>(&event);
    if (stuck != nullptr && termination_.has_begun()) return show_last_stack(*stuck);
    if (const auto* done = std::get_if<event::Done>(&event);
        done && !may_have_run_ && failure_of_stest(*done)) {
      output_.end_waiting();  // The caller shows the error, or makes a cold run.
      return true;
    }
    if (silent_ && is_hidden_if_silent(event)) return true;
    if (!events_) return output_.show(event);
    return is_collected_ || std::holds_alternative<event::Done>(event) || print_event(event, console_);
  }

  bool show_last_stack(const event::Stuck& stuck) {
    if (events_ && !is_collected_) (void)print_event(stuck, console_);
    if (!stuck.stack.empty()) console_.say("its stack:\n" + without_last_newline(stack_text(stuck.stack)));
    termination_.stack_came();
    return true;
  }

  static std::string without_last_newline(std::string text) {
    if (text.ends_with('\n')) text.pop_back();
    return text;
  }

  /// The daemon ended before it took the request. Nothing has run.
  bool may_start_over(const Error& error) const {
    return !has_begun_ && error.code == ErrorCode::daemon_unavailable;
  }

  /// Called by the canceller's thread. The end of the run arrives on the run's stream.
  void cancel(std::uint64_t id, CancelHow how) {
    cancelled_ = true;
    if (how == CancelHow::terminate) console_.say("terminating the run (Ctrl-C kills it)");
    if (how == CancelHow::kill) console_.say("killing the run (Ctrl-C leaves it)");
    report(client()->cancel(id, how));
  }

  /// Called by the canceller's thread.
  void end() {
    cancelled_ = true;
    console_.say("SIGTERM " + position_.text(), Console::Tone::warning);
    termination_.begin();
  }

  /// Called by the thread of the terminal's link.
  void suspend(bool on) { report(client()->suspend(run_, on)); }

  std::optional<DaemonClient> client() {
    const std::lock_guard lock(mutex_);
    return client_;
  }

  /// It is not an error if the run has ended in the meantime.
  void report(const Status& asked) {
    if (!asked && asked.error().code != ErrorCode::not_found) console_.say(asked.error());
  }

  /// Called by the canceller's thread. When the connection closes, the daemon ends the run.
  void leave(int signal) {
    console_.clear_brief();
    if (signal == SIGTERM && !termination_.has_begun()) console_.say("SIGTERM " + position_.text());
    modes_.end();
    if (on_leave_) on_leave_();
    leave_by_signal(signal);
  }

  Console& console_;
  DaemonLauncher launcher_;
  RunRequest request_;
  bool events_;
  bool is_collected_;  ///< The caller prints the report instead of the events.
  bool detached_;
  bool silent_;
  TerminalModes modes_;
  Timings timings_{process_begin_ns()};
  std::optional<StandardInput> input_;
  std::uint64_t run_ = 0;
  Output output_;
  std::vector<event::Test> tests_;
  std::vector<std::string> notices_;
  bool has_begun_ = false;     ///< The daemon has taken the request.
  bool may_have_run_ = false;  ///< Tests may have run.
  bool reader_has_left_ = false;
  std::atomic<bool> cancelled_ = false;
  std::function<void()> on_leave_;
  std::mutex mutex_;  ///< Guards `client_`.
  std::optional<DaemonClient> client_;
  RunPosition position_;
  Termination termination_;
  Canceller canceller_;                     ///< After the members that its thread uses.
  std::unique_ptr<TerminalLink> terminal_;  ///< Last: its thread uses all others.
};

}  // namespace

tl::expected<WarmResult, NoResult> run_warm(const RunOptions& options, const Project& project,
                                            Console& console, std::function<void()> on_leave) {
  std::optional<Run> run;
  try {
    run.emplace(options, project, console, std::move(on_leave));
    return run->execute();
  } catch (const std::system_error& error) {  // A thread cannot be started.
    return tl::unexpected(NoResult{{ErrorCode::internal, error.what(), ""}, run && run->may_have_run()});
  }
}

bool print_event(const Event& event, Console& console) {
  return console.write(Stream::out, to_json(event).dump() + "\n");
}

}  // namespace stest
