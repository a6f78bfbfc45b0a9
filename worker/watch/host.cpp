// A `python` that this library is preloaded into becomes a worker if its first argument asks for that. The
// worker takes the place of the function `main`, so it starts Python itself, as `stest-worker` does.

#include <dlfcn.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

#include "common/os/worker_host.hpp"
#include "common/version.hpp"
#include "stest/exit_code.hpp"
#include "worker/watch/interpose.hpp"

namespace {

namespace fs = std::filesystem;

using Main = int(int, char**, char**);
using WorkerMain = int(int, char**, const char*);
Main* pythons_main = nullptr;

/// Whether the strings are where the kernel has put them, one after the other.
bool is_as_at_start(char** env) {
  for (const char* end = *env; *env != nullptr; ++env) {
    if (*env != end) return false;
    end += std::strlen(end) + 1;
  }
  return true;
}

/// Takes this library, the first one, out of `LD_PRELOAD`: no program that tests start may load it. The
/// strings are moved, so that /proc/PID/environ does not show it either.
void remove_from_environment(char** env) {
  constexpr std::string_view name = "LD_PRELOAD=";
  const char* const others = std::strchr(::getenv("LD_PRELOAD"), ':');
  if (!is_as_at_start(env)) {
    others == nullptr ? ::unsetenv("LD_PRELOAD") : ::setenv("LD_PRELOAD", others + 1, 1);
    return;
  }
  while (std::string_view(*env).substr(0, name.size()) != name) ++env;
  char* const from = others == nullptr ? *env : *env + name.size();
  const auto size = static_cast<std::ptrdiff_t>(std::strcspn(from, ":")) + 1;
  char* end = from + size;
  for (char** next = env + 1; *next != nullptr; *next++ -= size) end = *next + std::strlen(*next) + 1;
  std::memset(std::copy(from + size, end, from), 0, static_cast<std::size_t>(size));
  for (; others == nullptr && *env != nullptr; ++env) env[0] = env[1];
}

int give_up(const std::string& why) {
  std::fprintf(stderr, "%s%s\n", stest::worker_cannot_start, why.c_str());
  return static_cast<int>(stest::ExitCode::worker_failed);
}

int become_worker(int argc, char** argv, char** env) {
  const auto version = reinterpret_cast<const char* (*)()>(::dlsym(RTLD_DEFAULT, "Py_GetVersion"));
  // A program that starts `python` with the same arguments.
  if (version == nullptr) return pythons_main(argc, argv, env);
  const std::string built_for(stest::python_version());
  if (!std::string_view(version()).starts_with(built_for + "."))
    return give_up("stest was built for Python " + built_for + ", and this is Python " + version());
  Dl_info self{};
  ::dladdr(reinterpret_cast<const void*>(&become_worker), &self);
  std::error_code ignored;
  const auto library = fs::canonical(self.dli_fname, ignored).replace_filename(stest::hosted_worker_library);
  void* const worker = ::dlopen(library.c_str(), RTLD_NOW);
  if (worker == nullptr) return give_up(::dlerror());
  if (std::string_view(self.dli_fname).starts_with("/proc/")) ::close(stest::worker_library_fd);
  remove_from_environment(env);
  ::prctl(PR_SET_NAME, "stest-worker");
  const auto run = reinterpret_cast<WorkerMain*>(::dlsym(worker, "stest_worker_main"));
  return run(argc - 1, argv + 1, library.c_str());
}

}  // namespace

extern "C" {
#pragma GCC visibility push(default)

/// The C library's function that calls `main`; no header declares it.
// NOLINTNEXTLINE(bugprone-reserved-identifier)
int __libc_start_main(Main* main, int argc, char** argv, void (*init)(), void (*fini)(),
                      void (*loader_fini)(), void* stack_end) {
  STEST_NEXT(__libc_start_main);
  const bool is_asked = argc > 1 && std::string_view(argv[1]) == stest::worker_argument;
  if (is_asked) pythons_main = std::exchange(main, &become_worker);
  return original(main, argc, argv, init, fini, loader_fini, stack_end);
}

#pragma GCC visibility pop
}
