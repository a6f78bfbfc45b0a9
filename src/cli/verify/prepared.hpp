#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>

#include "common/os/runtime_paths.hpp"

namespace stest {

/// What the daemon's worker is to do ahead of the next run.
struct Preparation {
  std::uint64_t run = 0;              ///< The last run.
  bool is_primed = false;             ///< The worker does it ahead, up to collected tests.
  std::chrono::seconds patience{10};  ///< How long a worker that is ready may take to do so.
};

/// The run done ahead for the last request, if the worker has told of it; else null. `worker` is its
/// description in the status (`docs/http_api.md`).
const nlohmann::json& line_of(const nlohmann::json& worker, std::uint64_t run);

/// Waits until the worker has done ahead what it will, and returns its description; null if there is no
/// worker. If a signal ends this process meanwhile, `on_leave` is called first.
nlohmann::json await_prepared(const RuntimePaths& paths, const Preparation& preparation,
                              const std::function<void()>& on_leave);

}  // namespace stest
