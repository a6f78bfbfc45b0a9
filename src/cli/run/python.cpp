#include "cli/run/python.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <filesystem>
#include <string>
#include <string_view>

#include "cli/project.hpp"
#include "cli/run/cold_run.hpp"
#include "cli/terminal/terminal_modes.hpp"
#include "client/client.hpp"
#include "client/daemon_launcher.hpp"

namespace stest {
namespace {

/// Options of one letter that a fork can follow; they may stand together, as in `-uB`.
constexpr std::string_view flags = "uBqP";

/// The process of the program, for the signal handler.
std::atomic<int> program_fd{-1};
std::atomic<int> program_group{0};

void send(int signal, bool to_group) {
  const bool is_alive = ::syscall(SYS_pidfd_send_signal, program_fd.load(), 0, nullptr, 0) == 0;
  if (!is_alive) return;
  if (to_group) {
    ::kill(-program_group, signal);
  } else {
    ::syscall(SYS_pidfd_send_signal, program_fd.load(), signal, nullptr, 0);
  }
}

/// A terminal sends its signals to all processes of a job. The program is in another session, so the kernel
/// ignores SIGTSTP there.
extern "C" void pass_on(int signal, siginfo_t* info, void*) {
  const int saved = errno;
  send(signal == SIGTSTP ? SIGSTOP : signal, info->si_code == SI_KERNEL);
  if (signal == SIGTSTP) ::raise(SIGSTOP);
  errno = saved;
}

constexpr std::array<int, 9> passed_on{SIGINT,  SIGTERM, SIGHUP,  SIGQUIT, SIGUSR1,
                                       SIGUSR2, SIGTSTP, SIGCONT, SIGWINCH};

void pass_signals_on(int pid) {
  const Fd program(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!program) return;
  program_group = ::getpgid(pid);
  program_fd = ::fcntl(program.get(), F_DUPFD_CLOEXEC, 3);
  for (const int signal : passed_on) {
    struct sigaction action {
    }, before{};
    action.sa_sigaction = pass_on;
    action.sa_flags = SA_SIGINFO | SA_RESTART;
    ::sigaction(signal, nullptr, &before);
    if (before.sa_handler != SIG_IGN) ::sigaction(signal, &action, nullptr);
  }
}

/// The program has left the core dump already.
[[noreturn]] void end_by(int signal) {
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  ::signal(signal, SIG_DFL);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, signal);
  ::sigprocmask(SIG_UNBLOCK, &set, nullptr);
  ::raise(signal);
  ::_exit(128 + signal);
}

int umask_of_this_process() {
  const auto mask = ::umask(0);
  ::umask(mask);
  return static_cast<int>(mask);
}

bool is_inherited(int fd) {
  const int flags = ::fcntl(fd, F_GETFD);
  return flags >= 0 && (flags & FD_CLOEXEC) == 0;
}

bool is_digit(char letter) { return letter >= '0' && letter <= '9'; }

bool has_number(std::string_view text, const std::string& number) {
  for (auto at = text.find(number); at != text.npos; at = text.find(number, at + 1)) {
    const auto end = at + number.size();
    if ((at == 0 || !is_digit(text[at - 1])) && (end == text.size() || !is_digit(text[end]))) return true;
  }
  return false;
}

/// Whether its number stands in one of the arguments, as in /dev/fd/63 of `<(command)`.
bool is_named(int fd, const std::vector<std::string>& args) {
  return std::any_of(args.begin(), args.end(),
                     [&](const auto& arg) { return has_number(arg, std::to_string(fd)); });
}

/// Whether the three standard streams are all that the program needs. Shells and editors leave further
/// descriptors open; a program that should use one is told its number.
bool needs_only_streams(const std::vector<std::string>& args) {
  if (!is_inherited(0) || !is_inherited(1) || !is_inherited(2)) return false;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd", error)) {
    const int fd = std::stoi(entry.path().filename());
    if (fd > 2 && is_inherited(fd) && is_named(fd, args)) return false;
  }
  return !error;
}

/// In the background, reading from the terminal would stop this process. A terminal of another session stops
/// nobody.
bool is_background() { return ::isatty(0) == 1 && ::tcgetpgrp(0) >= 0 && !is_foreground(0); }

RunRequest request_for(const std::vector<std::string>& args, const Project& project) {
  RunRequest request;
  request.args = args;
  request.python = true;
  request.cwd = project.cwd.string();
  request.env = project.env;
  request.umask = umask_of_this_process();
  request.process = current_attributes();
  request.cold_pid = ::getpid();
  return request;
}

Result<event::Done> run_warm(const std::vector<std::string>& args, bool& has_begun) {
  const auto project = current_project();
  if (!project) return tl::unexpected(project.error());
  const auto daemon =
      DaemonLauncher(project->paths, own_installation(project->env), [](const auto&) {}).ensure();
  if (!daemon) return tl::unexpected(daemon.error());
  if (daemon->endpoint.socket.empty())
    return fail(ErrorCode::daemon_unavailable, "TCP carries no descriptors");
  const auto take = [&](const Event& event) {
    if (const auto* started = std::get_if<event::Started>(&event)) {
      has_begun = true;
      pass_signals_on(started->pid);
    }
    return true;
  };
  return DaemonClient(daemon->endpoint).run(request_for(args, *project), take, {0, 1, 2});
}

int end_as(const event::Done& done, Console& console) {
  if (done.outcome == Outcome::crashed || done.outcome == Outcome::killed) end_by(done.exit_code - 128);
  if (!done.message.empty()) console.say(Error{ErrorCode::internal, done.message, done.hint});
  return done.exit_code;
}

/// Whether no process has run the program: the result is stest's own, and not an exit code of the program.
bool has_not_run(const event::Done& done, bool has_begun) {
  const bool needs_cold = done.exit_code == static_cast<int>(ExitCode::needs_cold);
  return done.outcome == Outcome::internal_error && (needs_cold || !has_begun);
}

int report_failure(const Error& error, Console& console) {
  console.say(error);
  return static_cast<int>(exit_code(error.code));
}

}  // namespace

std::vector<std::string> args_of_python(std::vector<std::string> args) {
  if (!args.empty() && args.front() == warm_children) args.erase(args.begin());
  return args;
}

bool can_be_forked(const std::vector<std::string>& args, bool has_prompt) {
  for (std::size_t i = 0; i < args.size(); ++i) {
    const auto& word = args[i];
    if (word == "-") return !has_prompt;
    if (word.empty() || word[0] != '-') return true;
    const auto at = word.find_first_not_of(flags, 1);
    if (at == word.npos) continue;
    const bool is_last = at + 1 == word.size();
    if (is_last && i + 1 == args.size()) return false;  // Its value is missing.
    if (word[at] == 'c' || word[at] == 'm') return true;
    if (word[at] != 'W') return false;
    if (is_last) ++i;
  }
  return !has_prompt;
}

int run_python(const std::vector<std::string>& args, Console& console) {
  const auto own = args_of_python(args);
  const bool can_be_warm = needs_only_streams(own) && !is_background() &&
                           can_be_forked(own, ::isatty(0) == 1) && !needs_fresh_process(current_attributes());
  if (!can_be_warm) return report_failure(become_python(own), console);
  bool has_begun = false;
  const auto done = run_warm(args, has_begun);
  if (done ? has_not_run(*done, has_begun) : !has_begun) return report_failure(become_python(own), console);
  return done ? end_as(*done, console) : report_failure(done.error(), console);
}

}  // namespace stest
