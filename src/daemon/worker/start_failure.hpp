#pragma once

#include <filesystem>
#include <optional>

#include "daemon/worker/worker_instance.hpp"
#include "stest/error.hpp"

namespace stest {

/// The programs and files of a worker.
struct WorkerProgram {
  WorkerHost host;
  std::filesystem::path python;
  std::filesystem::path log_file;            ///< Empty: the daemon's stderr.
  std::filesystem::path preload_file;        ///< See `PreloadStore`.
  std::filesystem::path root;                ///< The worker's folder if the client's does not exist any more.
  std::filesystem::path package = {};        ///< stest's Python package, if `python` has none; else empty.
  std::size_t most = 3;                      ///< How many there may be.
  std::optional<std::uint64_t> memory = {};  ///< See `WorkerPool`.
};

/// Why no worker can start, remembered as long as another start would have the same result. Not thread-safe.
class StartFailure {
 public:
  /// Remembers that `instance` could not serve runs with its key, and returns `error`.
  Error remember(const WorkerInstance& instance, const WorkerProgram& program, Error error);

  /// The error for runs with this key; nothing if a worker may start, since something that the start depends
  /// on has changed.
  std::optional<Error> find(const WorkerKey& wanted);

 private:
  struct Known {
    WorkerKey key;
    SitesState state;  ///< Of the files that a start depends on.
    Error error;
  };
  std::optional<Known> known_;
};

}  // namespace stest
