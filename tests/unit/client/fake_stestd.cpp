// A daemon without a worker, for the tests of the launcher, the stopper and the command `stest`. It is
// started as the real one is, and misbehaves as the variable STEST_FAKE says:
//
//   die     logs a line and ends before it is ready
//   crash   the same, by a signal
//   error   reports an error on the readiness pipe
//   mute    never becomes ready; ends when nobody waits for that any more
//   deaf    ignores POST /v1/stop and SIGTERM
//   once    the first such daemon of a project ends when it gets a request to run
//
// The file "busy" in the root makes it say that a run is in progress. Every start adds a line to the
// file "starts" there.

#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "common/os/file_lock.hpp"
#include "common/os/python_executable.hpp"
#include "common/os/runtime_paths.hpp"
#include "common/status_file.hpp"
#include "common/version.hpp"
#include "unit/client/fake_daemon.hpp"

namespace stest::unit {
namespace {

std::string variable(const char* name, const std::string& fallback = {}) {
  const char* value = std::getenv(name);
  return value == nullptr ? fallback : value;
}

[[noreturn]] void end_badly(const std::string& kind, int ready_fd) {
  std::fprintf(stderr, "the fake daemon is told to %s\n", kind.c_str());
  if (kind == "crash") {
    ::signal(SIGSEGV, SIG_DFL);
    ::raise(SIGSEGV);
  }
  if (kind == "mute") {
    pollfd reader{ready_fd, 0, 0};
    ::poll(&reader, 1, -1);
  }
  if (kind == "error") {
    const auto json = to_json(Error{ErrorCode::config, "pyproject.toml:3: bad", "mend it"}).dump();
    (void)write_all(ready_fd, "error\n" + json);
  }
  ::_exit(3);
}

DaemonStatus describe(const RuntimePaths& paths) {
  DaemonStatus status;
  status.process = *identify(::getpid());
  status.surroundings = own_surroundings();
  status.version = variable("STEST_FAKE_VERSION", std::string(stest_version()));
  status.build = build_id("/proc/self/exe");
  status.python = variable("STEST_FAKE_PYTHON", python_executable(executable_folder()).string());
  status.endpoint.socket = paths.socket.string();
  status.state = "idle";
  return status;
}

nlohmann::json runs(const std::filesystem::path& root) {
  auto list = nlohmann::json::array();
  if (std::filesystem::exists(root / "busy")) list.push_back({{"id", 1}, {"state", "running"}});
  return list;
}

/// The real order: no new client finds us, then we go.
[[noreturn]] void end(const RuntimePaths& paths) {
  std::filesystem::remove(paths.status_file);
  std::filesystem::remove(paths.socket);
  ::_exit(0);
}

void end_when_idle(const RuntimePaths& paths, DaemonStatus status) {
  status.state = "stopping";
  (void)write_status(paths.status_file, status);
  std::thread([paths] {
    while (std::filesystem::exists(paths.root / "busy"))
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    end(paths);
  }).detach();
}

void answer_stop(FakeDaemon& daemon, const RuntimePaths& paths, const DaemonStatus& status) {
  daemon.on_stop = [paths, status](const std::string& when) {
    write_text(paths.root / "stops", read_text(paths.root / "stops") + when + "\n");
    if (when == "idle") return end_when_idle(paths, status);
    std::thread([paths] { end(paths); }).detach();
  };
}

int serve(const std::filesystem::path& root, int lock_fd, int ready_fd) {
  const auto paths = runtime_paths(root, current_environment());
  write_text(root / "starts", read_text(root / "starts") + "start\n");
  const auto kind = variable("STEST_FAKE");
  if (kind == "die" || kind == "crash" || kind == "error" || kind == "mute") end_badly(kind, ready_fd);
  auto lock = FileLock::adopt(Fd(lock_fd));
  if (!lock) return 4;
  const auto status = describe(paths);
  FakeDaemon daemon(root, paths.socket.string());
  daemon.runs = [root] { return runs(root); };
  if (kind == "deaf") {
    ::signal(SIGTERM, SIG_IGN);
  } else {
    answer_stop(daemon, paths, status);
  }
  daemon.ends_on_run = kind == "once" && read_text(root / "starts") == "start\n";
  daemon.start();
  (void)write_status(paths.status_file, status);
  (void)write_all(ready_fd, "ready\n");
  ::close(ready_fd);
  for (;;) ::pause();
}

}  // namespace
}  // namespace stest::unit

int main(int argc, char** argv) {
  std::map<std::string, std::string> options;
  for (int i = 1; i + 1 < argc; i += 2) options[argv[i]] = argv[i + 1];
  return stest::unit::serve(options["--root"], std::stoi(options["--lock-fd"]),
                            std::stoi(options["--ready-fd"]));
}
