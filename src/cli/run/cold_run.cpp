#include "cli/run/cold_run.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <system_error>

#include "cli/cancel.hpp"
#include "common/history/history.hpp"
#include "common/os/python_executable.hpp"
#include "common/os/read_file.hpp"

namespace stest {
namespace {

std::vector<std::string> python_args(const std::vector<std::string>& pytest_args) {
  std::vector<std::string> args{"-m", "pytest"};
  args.insert(args.end(), pytest_args.begin(), pytest_args.end());
  return args;
}

/// Returns when the child has ended, but does not reap it, so that its pid is not reused.
void await_end(int pid) {
  siginfo_t info{};
  while (::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT) < 0 && errno == EINTR) {
  }
}

/// The files for a cold run's output. It is only one if stdout and stderr of this process are one file.
class OutputFiles {
 public:
  explicit OutputFiles(const std::filesystem::path& folder)
      : out_(folder / "out"), err_(are_same_file(1, 2) ? out_ : folder / "err") {}

  Status open() {
    for (auto [file, fd] : {std::pair{&out_, &out_fd_}, std::pair{&err_, &err_fd_}}) {
      *fd = Fd(::open(file->c_str(), O_WRONLY | O_CREAT | O_APPEND | O_TRUNC | O_CLOEXEC, 0600));
      if (!*fd) return errno_error("cannot create " + file->string());
    }
    return {};
  }

  std::map<int, int> fds() const { return {{1, out_fd_.get()}, {2, err_fd_.get()}}; }

  Status read(ColdResult& result) const {
    auto text = read_file(out_);
    if (text) result.out = std::move(*text).value_or("");
    if (text && err_ != out_) {
      text = read_file(err_);
      if (text) result.err = std::move(*text).value_or("");
    }
    return text ? Status() : Status(tl::unexpected(text.error()));
  }

 private:
  std::filesystem::path out_, err_;
  Fd out_fd_, err_fd_;
};

/// Starts the process and returns when it has ended, not yet reaped.
Result<int> run_to_its_end(const SpawnOptions& options, const std::function<void()>& on_leave,
                           std::atomic<bool>& cancelled) {
  Canceller canceller({[&](std::uint64_t pid, CancelHow how) {
                         cancelled = true;
                         ::kill(-static_cast<int>(pid), signal_of(how));  // The group, as a terminal does.
                       },
                       [&](int signal) {
                         on_leave();
                         leave_by_signal(signal);
                       }});
  const auto pid = spawn(options);
  if (!pid) return pid;
  canceller.run_started(static_cast<std::uint64_t>(*pid));
  await_end(*pid);
  return pid;
}

}  // namespace

Error become_cold_run(const std::vector<std::string>& pytest_args) {
  if (const auto project = current_project())
    note_cold_run(project->paths.directory, pytest_args, project->cwd.string());
  return become_python(python_args(pytest_args));
}

Error become_python(const std::vector<std::string>& args) {
  const auto python = python_executable(executable_folder(), current_environment());
  std::vector<char*> argv{const_cast<char*>(python.c_str())};
  for (const auto& arg : args) argv.push_back(const_cast<char*>(arg.c_str()));
  argv.push_back(nullptr);
  ::execv(python.c_str(), argv.data());
  return {ErrorCode::internal,
          "cannot start " + python.string() + ": " + std::system_category().message(errno),
          "If the virtual environment was moved, install stest in it again."};
}

Result<ColdResult> run_cold(const std::vector<std::string>& pytest_args, const Project& project,
                            const std::filesystem::path& folder, const std::function<void()>& on_leave) {
  OutputFiles files(folder);
  if (auto opened = files.open(); !opened) return tl::unexpected(opened.error());
  SpawnOptions options;
  options.executable = python_executable(executable_folder(), project.env);
  options.args = python_args(pytest_args);
  options.env = &project.env;
  options.cwd = project.cwd.string();
  options.fds = files.fds();
  options.new_session = true;
  options.dies_with_parent = true;

  std::atomic<bool> cancelled = false;
  const auto begin = std::chrono::steady_clock::now();
  const auto pid = run_to_its_end(options, on_leave, cancelled);
  if (!pid) return tl::unexpected(pid.error());
  ColdResult result;
  result.status = wait_for(*pid).value_or(ExitStatus{});
  result.duration_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  result.cancelled = cancelled;
  if (auto read = files.read(result); !read) return tl::unexpected(read.error());
  return result;
}

bool show_output(const ColdResult& result, Console& console) {
  const bool is_read = console.write(Stream::out, result.out) && console.write(Stream::err, result.err);
  console.end_output();
  return is_read;
}

}  // namespace stest
