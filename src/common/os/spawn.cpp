#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <system_error>

#include "common/os/blocked_signals.hpp"
#include "common/os/close_fds.hpp"
#include "common/os/process.hpp"

// Between fork and exec, a process with threads may call only async-signal-safe functions, because another
// thread may hold malloc's lock during the fork. So the parent prepares everything that needs memory in a
// `Plan`, and the child only executes it.

namespace stest {
namespace {

struct Mapping {
  int target;  ///< The child's descriptor.
  int source;  ///< Ours; in the child a copy above all targets, see `install_fds`.
};

/// Everything that the child needs. Points into `SpawnOptions`, and owns the rest.
struct Plan {
  const char* executable = nullptr;
  const char* cwd = nullptr;  ///< Null: inherit.
  bool new_session = false;
  int parent = 0;  ///< The child is killed when this process ends; 0: it is not.
  const std::vector<int>* affinity = nullptr;
  std::optional<rlimit> stack;
  std::vector<std::string> env_entries;
  std::vector<char*> argv;
  std::vector<char*> envp;  ///< Empty: inherit.
  std::vector<Mapping> fds;
  std::vector<int> keep;  ///< The targets, then the child's end of the report pipe, which is above them.
  int above_targets = 3;
  int report = -1;
};

/// What the child reports if it fails before or at exec.
struct Failure {
  enum class Step : int { prepare_fds, change_folder, execute } step;
  int error;
};

std::vector<char*> pointers(const char* first, const std::vector<std::string>& rest) {
  std::vector<char*> result;
  if (first != nullptr) result.push_back(const_cast<char*>(first));
  for (const std::string& item : rest) result.push_back(const_cast<char*>(item.c_str()));
  result.push_back(nullptr);
  return result;
}

void plan_environment(Plan& plan, const Environment* env) {
  if (env == nullptr) return;
  for (const auto& [name, value] : *env) plan.env_entries.emplace_back(name).append("=").append(value);
  plan.envp = pointers(nullptr, plan.env_entries);
}

/// Those of 0, 1 and 2 that are not given become `null`. If they were closed, the next files that the process
/// opens would get these numbers.
void plan_fds(Plan& plan, std::map<int, int> fds, int null) {
  for (int standard = 0; standard <= 2; ++standard) fds.emplace(standard, null);
  for (const auto& [target, source] : fds) {
    plan.fds.push_back({target, source});
    plan.keep.push_back(target);
  }
  plan.above_targets = plan.keep.back() + 1;
  plan.keep.push_back(-1);
}

[[noreturn]] void give_up(const Plan& plan, Failure::Step step) {
  const Failure failure{step, errno};
  [[maybe_unused]] const ssize_t written = ::write(plan.report, &failure, sizeof failure);
  ::_exit(127);
}

void reset_signals() {
  struct sigaction action {};
  action.sa_handler = SIG_DFL;
  for (int signal = 1; signal < NSIG; ++signal) ::sigaction(signal, &action, nullptr);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

/// Copies all sources and the report pipe above all targets first, so that no dup2 closes a descriptor that a
/// later one needs.
void install_fds(Plan& plan) {
  const int report = ::fcntl(plan.report, F_DUPFD_CLOEXEC, plan.above_targets);
  if (report < 0) give_up(plan, Failure::Step::prepare_fds);
  plan.report = plan.keep.back() = report;
  for (Mapping& mapping : plan.fds) {
    mapping.source = ::fcntl(mapping.source, F_DUPFD_CLOEXEC, plan.above_targets);
    if (mapping.source < 0) give_up(plan, Failure::Step::prepare_fds);
  }
  for (const Mapping& mapping : plan.fds) {
    if (::dup2(mapping.source, mapping.target) < 0) give_up(plan, Failure::Step::prepare_fds);
  }
  close_fds_from(3, plan.keep.data(), plan.keep.size());
}

/// The parent may have ended before prctl().
void die_with(int parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(127);
}

/// Sets what has its full effect only at exec. Errors are ignored: a run checks its attributes itself
/// (`apply`).
void take_layout(const Plan& plan) {
  if (!plan.affinity->empty()) set_affinity(*plan.affinity);
  if (plan.stack) ::setrlimit(RLIMIT_STACK, &*plan.stack);
}

[[noreturn]] void run_child(Plan& plan) {
  reset_signals();
  take_layout(plan);
  if (plan.new_session) ::setsid();
  if (plan.parent != 0) die_with(plan.parent);
  install_fds(plan);
  if (plan.cwd != nullptr && ::chdir(plan.cwd) != 0) give_up(plan, Failure::Step::change_folder);
  ::execve(plan.executable, plan.argv.data(), plan.envp.empty() ? environ : plan.envp.data());
  give_up(plan, Failure::Step::execute);
}

/// The failure that the child reports; nothing if exec has closed the pipe.
std::optional<Failure> read_report(int fd) {
  Failure failure{};
  ssize_t count = 0;
  do {
    count = ::read(fd, &failure, sizeof failure);
  } while (count < 0 && errno == EINTR);
  if (count != sizeof failure) return std::nullopt;
  return failure;
}

tl::unexpected<Error> explain(const Failure& failure, const SpawnOptions& options) {
  const std::string reason = std::system_category().message(failure.error);
  const std::string what = "cannot start " + options.executable.string() + ": ";
  switch (failure.step) {
    case Failure::Step::prepare_fds:
      return fail(ErrorCode::internal, what + "its descriptors: " + reason);
    case Failure::Step::change_folder:
      return fail(ErrorCode::internal, what + "folder " + options.cwd + ": " + reason);
    case Failure::Step::execute:
      break;
  }
  return fail(ErrorCode::internal, what + reason, "The installation may be incomplete; install stest again.");
}

}  // namespace

Result<int> spawn(const SpawnOptions& options) {
  const Fd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!null) return errno_error("cannot open /dev/null");
  Result<Pipe> report = make_pipe();
  if (!report) return tl::unexpected(report.error());
  Plan plan;
  plan.executable = options.executable.c_str();
  plan.cwd = options.cwd.empty() ? nullptr : options.cwd.c_str();
  plan.new_session = options.new_session;
  plan.parent = options.dies_with_parent ? ::getpid() : 0;
  plan.affinity = &options.affinity;
  if (options.stack) {
    plan.stack =
        rlimit{options.stack->soft.value_or(RLIM_INFINITY), options.stack->hard.value_or(RLIM_INFINITY)};
  }
  plan.argv = pointers(plan.executable, options.args);
  plan_environment(plan, options.env);
  plan_fds(plan, options.fds, null.get());
  plan.report = report->write.get();

  int pid = -1;
  {
    const BlockedSignals blocked;
    pid = ::fork();
    if (pid == 0) run_child(plan);
    if (pid < 0) return errno_error("cannot start " + options.executable.string());
  }
  report->write.reset();
  if (const auto failure = read_report(report->read.get())) {
    wait_for(pid);
    return explain(*failure, options);
  }
  return pid;
}

std::optional<ExitStatus> wait_for(int pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) return std::nullopt;
  }
  if (WIFSIGNALED(status)) return ExitStatus{std::nullopt, WTERMSIG(status)};
  return ExitStatus{WEXITSTATUS(status), std::nullopt};
}

bool has_ended(int pid) {
  siginfo_t info{};
  return ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
         info.si_pid == pid;
}

}  // namespace stest
