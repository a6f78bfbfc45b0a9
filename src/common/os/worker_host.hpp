#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "common/os/process.hpp"

namespace stest {

/// The programs that can become a worker: `stest-worker`, which embeds a libpython; or, if there is none, a
/// `python`. Into that one `libstest_watch.so` is preloaded, which loads `library` from its own folder
/// (`worker/watch`).
struct WorkerHost {
  std::filesystem::path executable;    ///< `stest-worker`.
  std::filesystem::path python = {};   ///< The environment's interpreter.
  std::filesystem::path library = {};  ///< The worker of a `python`.

  bool is_python() const;
};

inline constexpr const char* hosted_worker_library = "libstest_worker.so";
/// The argument by which a `python` is asked to become a worker.
inline constexpr const char* worker_argument = "--stest-worker";
/// What precedes the reason if a `python` cannot become one.
inline constexpr const char* worker_cannot_start = "stest-worker: cannot start: ";
/// The descriptor of the library's folder, if `LD_PRELOAD` cannot name that.
inline constexpr int worker_library_fd = 4;

/// The host of the installation whose executables are in `folder`.
WorkerHost worker_host(const std::filesystem::path& folder, const std::filesystem::path& python);

/// Makes `options` start a worker: its program, its arguments, and `env`, which is changed, as its
/// environment. The descriptor must be kept until the worker is spawned.
Fd start_worker(SpawnOptions& options, const WorkerHost& host, Environment& env);

}  // namespace stest
