#include "common/os/worker_host.hpp"

#include <fcntl.h>
#include <unistd.h>

namespace stest {

namespace fs = std::filesystem;

bool WorkerHost::is_python() const { return !library.empty() && ::access(executable.c_str(), F_OK) != 0; }

WorkerHost worker_host(const fs::path& folder, const fs::path& python) {
  const auto library = folder / STEST_LIB_FROM_BIN / hosted_worker_library;
  return {folder / "stest-worker", python, library.lexically_normal()};
}

Fd start_worker(SpawnOptions& options, const WorkerHost& host, Environment& env) {
  options.executable = host.is_python() ? host.python : host.executable;
  options.env = &env;
  if (!host.is_python()) return {};
  options.args.insert(options.args.begin(), worker_argument);
  Fd folder;
  auto path = host.library.parent_path() / "libstest_watch.so";
  // The loader splits the variable at both characters, and knows no escape.
  if (path.native().find_first_of(" :") != std::string::npos) {
    folder = Fd(::open(path.parent_path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    options.fds[worker_library_fd] = folder.get();
    path = "/proc/self/fd/" + std::to_string(worker_library_fd) + "/" + path.filename().string();
  }
  auto& preload = env["LD_PRELOAD"];
  preload = path.string() + (preload.empty() ? "" : ":" + preload);
  return folder;
}

}  // namespace stest
