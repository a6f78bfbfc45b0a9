#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "common/os/process.hpp"

namespace stest {

/// The program that becomes a worker: `stest-worker`, which embeds a libpython, or a `python`, which needs
/// none. Into that one `library` is preloaded, which starts the worker in place of Python (`worker/watch`).
struct WorkerHost {
  std::filesystem::path program;
  std::filesystem::path library = {};  ///< `libstest_watch.so`; empty for `stest-worker`.
};

/// The worker for a `python`; it is in the folder of `libstest_watch.so`.
inline constexpr const char* hosted_worker_library = "libstest_worker.so";
/// The argument by which a `python` is asked to become a worker.
inline constexpr const char* worker_argument = "--stest-worker";
/// What precedes the reason if a `python` cannot become one.
inline constexpr const char* worker_cannot_start = "stest-worker: cannot start: ";
/// The descriptor of the library's folder, if `LD_PRELOAD` cannot name that.
inline constexpr int worker_library_fd = 4;

/// `stest-worker` if it is in `folder`, where stest's executables are, else `python`. If the installation has
/// neither worker, `stest-worker`, so that this one is missed.
WorkerHost worker_host(const std::filesystem::path& folder, const std::filesystem::path& python);

/// Makes `options` start a worker: its program, its arguments, and `env`, which is changed, as its
/// environment. The descriptor must be kept until the worker is spawned.
Fd start_worker(SpawnOptions& options, const WorkerHost& host, Environment& env);

}  // namespace stest
