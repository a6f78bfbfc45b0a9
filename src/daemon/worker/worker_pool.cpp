#include "daemon/worker/worker_pool.hpp"

#include <unistd.h>

#include <algorithm>

#include "common/os/cgroup.hpp"
#include "common/os/process.hpp"

namespace stest {

namespace {

/// The memory that this process and others of its cgroup may have.
std::uint64_t available_memory() {
  const auto machine = static_cast<std::uint64_t>(::sysconf(_SC_PHYS_PAGES)) *
                       static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  const auto cgroup = Cgroup::of_memory(::getpid());
  return std::min(machine, cgroup ? cgroup->limit().value_or(machine) : machine);
}

}  // namespace

WorkerPool::WorkerPool(std::size_t most, std::optional<std::uint64_t> memory)
    : most_(most), memory_(memory ? *memory : available_memory() / 4) {}

bool WorkerPool::holds(const Instance& instance) const {
  return std::find(workers_.begin(), workers_.end(), instance) != workers_.end();
}

void WorkerPool::use(const Instance& instance) {
  workers_.remove(instance);
  workers_.push_front(instance);
}

bool WorkerPool::has_room(std::size_t most) const {
  if (workers_.empty()) return true;
  if (workers_.size() >= std::min(most, most_)) return false;
  std::uint64_t used = 0;
  std::uint64_t largest = 0;  // The next one may become as large.
  for (const auto& worker : workers_) {
    const auto held = resident_memory(worker->process->pid()).value_or(0);
    used += held;
    largest = std::max(largest, held);
  }
  return used + largest <= memory_;
}

WorkerPool::Instance WorkerPool::dispensable() const {
  if (workers_.empty()) return nullptr;
  const auto has_ended = [](const Instance& one) { return one->state == WorkerInstance::State::ended; };
  const auto is_idle = [](const Instance& one) { return one->claims == 0; };
  const auto ended = std::find_if(workers_.begin(), workers_.end(), has_ended);
  if (ended != workers_.end()) return *ended;
  const auto idle = std::find_if(workers_.rbegin(), workers_.rend(), is_idle);
  return idle != workers_.rend() ? *idle : workers_.back();
}

}  // namespace stest
