#include "cli/run.hpp"

#include <sys/stat.h>

#include "cli/cancel.hpp"
#include "cli/output.hpp"
#include "cli/project.hpp"
#include "client/backoff.hpp"
#include "client/client.hpp"
#include "client/daemon_launcher.hpp"

namespace stest {
namespace {

// How often a run that no daemon has begun is given to a fresh one.
constexpr int attempts = 3;

int current_umask() {
  const auto mask = ::umask(0);
  ::umask(mask);
  return static_cast<int>(mask);
}

/// Only one file keeps the order of what is written to it through two descriptors.
bool are_same_file(int one, int other) {
  struct stat a {
  }, b{};
  return ::fstat(one, &a) == 0 && ::fstat(other, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

RunRequest make_request(const RunOptions& options, const Project& project) {
  RunRequest request;
  request.args = options.pytest_args;
  request.cwd = project.cwd.string();
  request.env = project.env;
  if (options.stuck_after) request.env["SPRINTEST_STUCK_AFTER"] = *options.stuck_after;
  request.umask = current_umask();
  request.merge_streams = !options.events && are_same_file(1, 2);
  return request;
}

/// One run from the request to the exit code, whichever daemon serves it in the end.
class Run {
 public:
  Run(const RunOptions& options, Project project, Console& console)
      : console_(console),
        launcher_(project.paths, own_installation(), [this](const std::string& line) { console_.say(line); }),
        request_(make_request(options, project)),
        events_(options.events),
        output_(console, is_very_quiet(options.pytest_args)),
        canceller_({[this](auto id, auto how) { cancel(id, how); }, [this](int signal) { leave(signal); }}) {}

  int execute() {
    Backoff backoff;
    for (int attempt = 1;; ++attempt, backoff.wait()) {
      const auto daemon = launcher_.ensure();
      if (!daemon) return end_with(daemon.error());
      const auto done = ask(DaemonClient(daemon->endpoint));
      if (done) return done->exit_code;
      if (reader_has_left_) return static_cast<int>(ExitCode::tests_failed);
      if (!may_start_over(done.error()) || attempt == attempts) return end_with(done.error());
    }
  }

 private:
  Result<event::Done> ask(const DaemonClient& client) {
    {
      const std::lock_guard lock(mutex_);
      client_ = client;
    }
    return client.run(request_, [this](const Event& event) { return take(event); });
  }

  bool take(const Event& event) {
    has_begun_ = true;
    if (const auto* started = std::get_if<event::Started>(&event)) canceller_.run_started(started->id);
    const bool shown =
        events_ ? console_.write(Stream::out, to_json(event).dump() + "\n") : output_.show(event);
    reader_has_left_ = !shown;
    return shown;
  }

  /// The daemon was about to end when it got the request, or it never got it. Nothing has run.
  bool may_start_over(const Error& error) const {
    return !has_begun_ && error.code == ErrorCode::daemon_unavailable;
  }

  int end_with(const Error& error) {
    console_.say(error);
    return static_cast<int>(exit_code(error.code));
  }

  /// On the canceller's thread. The end of the run arrives by its own stream.
  void cancel(std::uint64_t id, CancelHow how) {
    if (how == CancelHow::terminate) console_.say("terminating the run (Ctrl-C kills it)");
    if (how == CancelHow::kill) console_.say("killing the run (Ctrl-C leaves it)");
    std::optional<DaemonClient> client;
    {
      const std::lock_guard lock(mutex_);
      client = client_;
    }
    const auto cancelled = client->cancel(id, how);
    if (!cancelled && cancelled.error().code != ErrorCode::not_found) console_.say(cancelled.error());
  }

  /// On the canceller's thread. The closed connection ends whatever the daemon does for us.
  void leave(int signal) {
    console_.clear_brief();
    leave_by_signal(signal);
  }

  Console& console_;
  DaemonLauncher launcher_;
  RunRequest request_;
  bool events_;
  Output output_;
  bool has_begun_ = false;
  bool reader_has_left_ = false;
  std::mutex mutex_;  ///< Guards `client_`.
  std::optional<DaemonClient> client_;
  Canceller canceller_;  ///< Last: its thread uses the others.
};

}  // namespace

int run_tests(const RunOptions& options, Console& console) {
  auto project = current_project();
  if (!project) {
    console.say(project.error());
    return static_cast<int>(exit_code(project.error().code));
  }
  return Run(options, std::move(*project), console).execute();
}

}  // namespace stest
