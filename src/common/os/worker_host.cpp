#include "common/os/worker_host.hpp"

#include <fcntl.h>
#include <unistd.h>

namespace stest {

namespace fs = std::filesystem;

WorkerHost worker_host(const fs::path& folder, const fs::path& python) {
  const auto program = folder / "stest-worker";
  const auto libraries = (folder / STEST_LIB_FROM_BIN).lexically_normal();
  const auto exists = [](const fs::path& path) { return ::access(path.c_str(), F_OK) == 0; };
  if (exists(program) || !exists(libraries / hosted_worker_library)) return {program};
  return {python, libraries / "libstest_watch.so"};
}

Fd start_worker(SpawnOptions& options, const WorkerHost& host, Environment& env) {
  options.executable = host.program;
  options.env = &env;
  if (host.library.empty()) return {};
  options.args.insert(options.args.begin(), worker_argument);
  Fd folder;
  auto path = host.library;
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
