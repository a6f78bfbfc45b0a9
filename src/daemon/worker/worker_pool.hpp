#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <optional>

#include "daemon/worker/worker_instance.hpp"

namespace stest {

/// The workers of the daemon, the last used first. A terminal, an agent and an editor have variables of their
/// own, and each finds its worker warm. Not thread-safe.
class WorkerPool {
 public:
  using Instance = std::shared_ptr<WorkerInstance>;

  /// Uses this number of bytes at most, except for one worker; by default a quarter of what this process may
  /// have.
  explicit WorkerPool(std::size_t most = 3, std::optional<std::uint64_t> memory = std::nullopt);

  /// Null if there is none.
  Instance last_used() const { return workers_.empty() ? nullptr : workers_.front(); }
  bool holds(const Instance& instance) const;
  const std::list<Instance>& all() const { return workers_; }

  /// Adds the worker, or makes it the last used.
  void use(const Instance& instance);
  void remove(const Instance& instance) { workers_.remove(instance); }

  /// Whether there may be one more. `most` is a further bound.
  bool has_room(std::size_t most) const;
  /// The one that can be missed most: it has ended, or serves no run and was not used for the longest time.
  /// If all serve runs, any of them. Null if there is none.
  Instance dispensable() const;

 private:
  std::size_t most_;
  std::uint64_t memory_;
  std::list<Instance> workers_;
};

}  // namespace stest
