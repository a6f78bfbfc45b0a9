#include "daemon/run/run_queue.hpp"

#include <algorithm>
#include <cmath>
#include <ctime>
#include <utility>

#include "common/os/cgroup.hpp"
#include "common/os/process.hpp"
#include "daemon/run/input_wait.hpp"

namespace stest {

namespace {

auto with_id(std::uint64_t id) {
  return [id](const std::shared_ptr<Run>& run) { return run->id == id; };
}

std::string in_words(const RunQueue::View& view) {
  std::string text = "run " + std::to_string(view.run->id) + " (stest";
  for (const auto& arg : view.run->request.args) text += " " + arg;
  text += ")";
  const std::chrono::duration<double> seconds = std::chrono::system_clock::now() - *view.started;
  text += " has been running for " + std::to_string(std::lround(seconds.count())) + " s";
  const auto nodeid = view.tests.nodeid();
  return nodeid.empty() ? text : text + " and is at " + nodeid;
}

}  // namespace

int default_concurrency(const Config& config) {
  if (config.isolation == "resident") return 1;
  return std::max(2, static_cast<int>(usable_processors()));
}

bool takes_place(const RunQueue::View& active, const Config& config) {
  const auto& run = *active.run;
  if (run.request.python) return false;
  const auto resident = protocol::RunMode::resident;
  if (mode_of(run.config) == resident && mode_of(config) == resident) return true;
  return !active.is_silent && !(active.pid != 0 && waits_for_input(run.request, active.pid));
}

Result<std::shared_ptr<Run>> RunQueue::admit(RunRequest request, Config config, std::vector<Fd> fds) {
  auto run = std::make_shared<Run>();
  run->request = std::move(request);
  run->config = std::move(config);
  run->fds = std::move(fds);
  run->timings.begin_ns = monotonic_ns();
  run->since = std::time(nullptr);
  std::lock_guard lock(mutex_);
  if (closed_) {
    return fail(ErrorCode::daemon_unavailable, "stest's daemon is stopping and takes no more runs",
                "Run stest again: this starts a new daemon.");
  }
  if (run->request.python) {
    run->id = ++last_id_;
    find_parent(run);
    start(run);
    return run;
  }
  if (!run->request.wait && !has_room_for(run->config)) return tl::unexpected(busy());
  run->id = ++last_id_;
  waiting_.push_back(run);
  return run;
}

/// Finds the run to which the client of this program belongs.
void RunQueue::find_parent(const std::shared_ptr<Run>& run) {
  for (int pid = run->request.cold_pid.value_or(0); pid > 1; pid = parent_of(pid)) {
    for (auto& [id, view] : active_) {
      if (view.pid != pid) continue;
      run->parent = id;
      view.run->programs.add(std::shared_ptr<RunControl>(run, &run->control));
      return;
    }
  }
}

/// Whether a run that arrives now, and all before it, can start at once.
bool RunQueue::has_room_for(const Config& config) const {
  int limit = config.concurrency;
  for (const auto& run : waiting_) limit = std::min(limit, run->config.concurrency);
  return waiting_.size() + places_taken(config) < static_cast<std::size_t>(limit);
}

std::size_t RunQueue::places_taken(const Config& config) const {
  const auto counts = [&](const auto& active) { return takes_place(active.second, config); };
  return static_cast<std::size_t>(std::count_if(active_.begin(), active_.end(), counts));
}

Error RunQueue::busy() const {
  std::string text;
  for (const auto& [id, view] : active_) text += (text.empty() ? "" : "; ") + in_words(view);
  if (!waiting_.empty()) {
    text += (text.empty() ? "" : "; ") + std::to_string(waiting_.size()) + " in the queue";
  }
  return {ErrorCode::busy, std::move(text),
          "Without --no-wait (\"wait\": false) the run waits for its turn; `stest status` shows the queue."};
}

bool RunQueue::await_turn(const Run& run, const std::function<bool(int)>& waiting) {
  std::unique_lock lock(mutex_);
  while (!active_.contains(run.id) && !start_if_first(run)) {
    const int now_at = position(run);
    lock.unlock();
    if (!waiting(now_at)) return false;
    lock.lock();
    changed_.wait_for(lock, liveness_interval, [&] { return position(run) != now_at || start_allowed(run); });
  }
  return true;
}

bool RunQueue::start_allowed(const Run& run) const {
  return !waiting_.empty() && waiting_.front().get() == &run &&
         places_taken(run.config) < static_cast<std::size_t>(std::max(run.config.concurrency, 1));
}

bool RunQueue::start_if_first(const Run& run) {
  if (!start_allowed(run)) return false;
  start(waiting_.front());
  waiting_.pop_front();
  changed_.notify_all();
  return true;
}

void RunQueue::start(const std::shared_ptr<Run>& run) {
  active_[run->id] = {.run = run, .started = std::chrono::system_clock::now()};
}

int RunQueue::position(const Run& run) const {
  const auto at = std::find_if(waiting_.begin(), waiting_.end(), with_id(run.id));
  return static_cast<int>(at - waiting_.begin()) + 1;
}

void RunQueue::take(const Run& run, const event::Test& report) {
  std::lock_guard lock(mutex_);
  if (const auto found = active_.find(run.id); found != active_.end()) found->second.tests.take(report);
}

void RunQueue::set_silent(const Run& run, bool is_silent) {
  {
    std::lock_guard lock(mutex_);
    const auto found = active_.find(run.id);
    if (found == active_.end() || found->second.is_silent == is_silent) return;
    found->second.is_silent = is_silent;
  }
  changed_.notify_all();
}

void RunQueue::set_pid(const Run& run, int pid) {
  std::lock_guard lock(mutex_);
  if (const auto found = active_.find(run.id); found != active_.end()) found->second.pid = pid;
}

void RunQueue::leave(const Run& run) {
  {
    std::lock_guard lock(mutex_);
    std::erase_if(waiting_, with_id(run.id));
    active_.erase(run.id);
  }
  changed_.notify_all();
}

std::shared_ptr<Run> RunQueue::find(std::uint64_t id) const {
  std::lock_guard lock(mutex_);
  const auto at = std::find_if(waiting_.begin(), waiting_.end(), with_id(id));
  if (at != waiting_.end()) return *at;
  const auto active = active_.find(id);
  return active == active_.end() ? nullptr : active->second.run;
}

std::vector<RunQueue::View> RunQueue::list() const {
  std::lock_guard lock(mutex_);
  std::vector<View> views;
  views.reserve(active_.size() + waiting_.size());
  for (const auto& [id, active] : active_) views.push_back(active);
  int position = 0;
  for (const auto& run : waiting_) views.push_back({.run = run, .position = ++position});
  return views;
}

bool RunQueue::empty() const {
  std::lock_guard lock(mutex_);
  return waiting_.empty() && active_.empty();
}

void RunQueue::close() {
  std::lock_guard lock(mutex_);
  closed_ = true;
}

void RunQueue::cancel_all(CancelHow how, CancelReason reason) {
  for (const auto& view : list()) {
    if (const auto run = find(view.run->id)) run->control.cancel(how, reason);
  }
}

bool RunQueue::wait_until_empty(std::chrono::milliseconds limit) const {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, limit, [this] { return waiting_.empty() && active_.empty(); });
}

}  // namespace stest
