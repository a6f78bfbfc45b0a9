#include "worker/snapshot/snapshot_lines.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <tuple>
#include <utility>

#include "worker/runner/runner.hpp"
#include "worker/watch/file_reads.hpp"

namespace stest {

namespace {

/// The limit between two runs: files may be written all the time, and outdate each process.
constexpr int most_forks = 30;
/// Per line, without the process that goes on.
constexpr std::ptrdiff_t most_snapshots = 8;
constexpr int most_early = 3;
/// After a failure the next attempt comes after 2, 4, 8 … runs, and at most after 2 to the power of this.
constexpr int most_doublings = 6;

/// Compares everything except the arguments.
bool is_same_request(const protocol::RunTest& a, const protocol::RunTest& b) {
  const auto key = [](const protocol::RunTest& run) {
    return std::tie(run.cwd, run.env, run.umask, run.process);
  };
  return key(a) == key(b);
}

bool may_prime(const protocol::RunTest& request) { return request.prime && file_reads::is_supported(); }

}  // namespace

void SnapshotLines::note(const protocol::RunTest& request, const std::vector<Fd>& fds) {
  Entry* known = may_prime(request) ? find(request, fds) : nullptr;
  for (Entry& entry : entries_) {
    if (!entry.may_hold_cuda || &entry == known) continue;
    end_last(entry);
    collect(/*all=*/true);  // The run may need the device's memory.
  }
  if (!may_prime(request)) return;
  if (known != nullptr) {
    const auto position = std::find_if(entries_.begin(), entries_.end(),
                                       [known](const Entry& entry) { return &entry == known; });
    entries_.splice(entries_.begin(), entries_, position);
  } else {
    auto streams = StandIns::like(fds);
    if (!streams) return;
    if (entries_.size() == most_noted) end_oldest();
    entries_.push_front({.request = request, .streams = std::move(*streams)});
  }
  auto& noted = entries_.front();
  ++noted.runs;
  noted.request.id = request.id;
  noted.begun_ns = static_cast<std::uint64_t>(file_reads::now_ns());
}

void SnapshotLines::end_oldest() {
  end(entries_.back());
  entries_.pop_back();
}

void SnapshotLines::likes_cuda_ahead(std::uint64_t id) {
  for (Entry& entry : entries_) {
    if (entry.request.id == id) entry.likes_cuda_since_ns = entry.begun_ns;
  }
}

SnapshotLines::Entry* SnapshotLines::find(const protocol::RunTest& request, const std::vector<Fd>& fds) {
  const auto known = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) {
    return entry.streams.are_like(fds) && entry.request.args == request.args &&
           is_same_request(entry.request, request);
  });
  return known == entries_.end() ? nullptr : &*known;
}

void SnapshotLines::prime(bool may) {
  is_allowed_ = may;
  while (may && entries_.size() > most) end_oldest();
  for (Entry& entry : entries_) {
    entry.forks = 0;
    if (!may && std::exchange(entry.goes_on, false)) end_last(entry);
  }
  fork_next();
}

/// Ends the last process of the line, unless it is a snapshot. If it is about to become one, the zygote does
/// not know yet; its fork then gets no answer, and ends.
void SnapshotLines::end_last(Entry& entry) {
  waits_no_more(entry);
  if (entry.line.empty() || entry.line.back().is_snapshot) return;
  end(std::move(entry.line.back()));
  entry.line.pop_back();
}

std::optional<Forked> SnapshotLines::take(const protocol::RunTest& request, const std::vector<Fd>& fds) {
  if (!may_prime(request)) return std::nullopt;
  Entry* entry = find(request, fds);
  while (entry != nullptr && !entry->line.empty()) {
    Stage& last = entry->line.back();
    auto taken = begins(last, request, fds);
    if (taken && last.is_snapshot) return taken;
    if (!taken) end(std::move(last));
    entry->line.pop_back();
    waits_no_more(*entry);
    if (taken) return taken;
  }
  return take_with_other_args(request, fds);
}

/// Takes the deepest snapshot of a request with other arguments that can go on with these. A snapshot refuses
/// if it has read an argument that differs; then those after it have read it too. Most often only the first
/// one of a line is left then, because the run collects other files. An outdated snapshot ends by itself.
std::optional<Forked> SnapshotLines::take_with_other_args(const protocol::RunTest& request,
                                                          const std::vector<Fd>& fds) {
  struct Candidate {
    Stage* stage;
    bool is_first;
  };
  std::vector<Candidate> candidates;
  for (Entry& entry : entries_) {
    if (!entry.streams.are_like(fds) || !is_same_request(entry.request, request)) continue;
    bool is_first = true;
    for (Stage& stage : entry.line) {
      if (stage.any_args) candidates.push_back({&stage, std::exchange(is_first, false)});
    }
  }
  std::stable_sort(candidates.begin(), candidates.end(), [](const Candidate& a, const Candidate& b) {
    return a.stage->position_ms > b.stage->position_ms;
  });
  bool was_refused = false;
  for (const auto& [stage, is_first] : candidates) {
    if (was_refused && !is_first) continue;
    if (auto taken = begins(*stage, request, fds)) return taken;
    was_refused = was_refused || stage->process.fd() >= 0;
  }
  return std::nullopt;
}

std::optional<Forked> SnapshotLines::begins(Stage& stage, const protocol::RunTest& request,
                                            const std::vector<Fd>& fds) {
  if (stage.is_snapshot) return fork_from(stage.process, request, fds);
  stage.process.send(request, fds);
  if (!stage.process.await<protocol::Started>()) return std::nullopt;
  return Forked{stage.process.release(), std::move(stage.recorder)};
}

bool SnapshotLines::may_fork(const Entry& entry) const {
  return !entry.waits && !entry.goes_on && entry.forks < most_forks &&
         (entry.refusals == 0 || entry.runs >= 1 << std::min(entry.refusals, most_doublings));
}

void SnapshotLines::fork_next() {
  const auto goes_on = [](const Entry& entry) { return entry.goes_on; };
  if (!is_allowed_ || std::any_of(entries_.begin(), entries_.end(), goes_on)) return;
  const auto next =
      std::find_if(entries_.begin(), entries_.end(), [this](const Entry& entry) { return may_fork(entry); });
  if (next != entries_.end()) go_on(*next);
}

/// Only the process for the last request may initialise CUDA: each takes memory of the device.
std::optional<std::uint64_t> SnapshotLines::cuda_for(const Entry& entry) const {
  return &entry == &entries_.front() && !entry.never_cuda ? entry.likes_cuda_since_ns : std::nullopt;
}

void SnapshotLines::go_on(Entry& entry) {
  ++entry.forks;
  entry.refused.clear();
  const auto cuda_since_ns = cuda_for(entry);
  entry.may_hold_cuda = cuda_since_ns.has_value();
  if (entry.line.empty()) {
    auto first = begin(entry);
    if (!first) return;
    entry.line.push_back(std::move(*first));
  } else {
    entry.line.back().process.send(protocol::GoOn{.likes_cuda_since_ns = cuda_since_ns});
  }
  entry.goes_on = true;
}

std::optional<SnapshotLines::Stage> SnapshotLines::begin(Entry& entry) {
  entry.inotify = Fd(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  const auto& streams = entry.streams.streams();
  if (SnapshotProcess* values = values_.ready()) {
    std::vector<int> fds{entry.inotify.get()};
    for (const Fd& stream : streams) fds.push_back(stream.get());
    auto first = fork_from(*values, {.likes_cuda_since_ns = cuda_for(entry), .request = entry.request}, fds);
    if (!first) return std::nullopt;
    return Stage{SnapshotProcess(first->pid, std::move(first->channel)), std::move(first->recorder)};
  }
  auto recorder = FlightRecorder::create();
  auto stand_ins = StandIns::like(streams);
  if (!recorder || !stand_ins) return std::nullopt;
  auto process = SnapshotProcess::fork_for_run([&](LineChannel& channel) {
    auto inotify = std::move(entry.inotify);
    leave_();
    prime_in_this_process(channel, std::move(inotify), std::move(*stand_ins), entry.request, cuda_for(entry),
                          entry.written, std::move(*recorder), preloader_.environment_changes());
  });
  if (!process) return std::nullopt;
  return Stage{std::move(*process), std::move(*recorder)};
}

std::vector<int> SnapshotLines::fds() const {
  std::vector<int> fds;
  for (const Entry& entry : entries_) {
    for (const Stage& stage : entry.line) fds.push_back(stage.process.fd());
  }
  return fds;
}

void SnapshotLines::attend() {
  collect(/*all=*/false);
  for (Entry& entry : entries_) attend(entry);
  fork_next();
}

void SnapshotLines::attend(Entry& entry) {
  for (auto stage = entry.line.begin(); stage != entry.line.end();) {
    const bool is_over = stage->process.has_ended();  // Asked before reading, so that no message is lost.
    for (SnapshotProcess::Said& said : stage->process.receive_all()) take_in(entry, *stage, std::move(said));
    if (!is_over) {
      ++stage;
      continue;
    }
    if (std::next(stage) == entry.line.end()) has_ended(entry, *stage);
    end(std::move(*stage));
    stage = entry.line.erase(stage);
  }
  std::list<Stage> removed;
  thin_out(entry, removed);
  for (Stage& stage : removed) end(std::move(stage));
}

void SnapshotLines::take_in(Entry& entry, Stage& stage, SnapshotProcess::Said said) {
  if (const auto* stops = std::get_if<protocol::Stops>(&said.message)) {
    entry.waits = stops->waits;
    entry.refused = stops->reason;
    entry.goes_on = !entry.waits;  // If it does not wait, it is about to end.
    if (entry.waits) entry.refusals = entry.early = 0;
  }
  const auto* snapshot = std::get_if<protocol::Snapshot>(&said.message);
  if (snapshot == nullptr) return;
  stage.is_snapshot = true;
  stage.is_pinned = snapshot->pinned;
  stage.any_args = snapshot->any_args;
  stage.position_ms = snapshot->position_ms;
  auto fork = forked(std::move(said));
  // If a run has come meanwhile, or this is no longer the last process, the fork gets no answer, and ends.
  if (!fork || !entry.goes_on || &stage != &entry.line.back()) return;
  entry.line.push_back({SnapshotProcess(fork->pid, std::move(fork->channel)), std::move(fork->recorder)});
  entry.line.back().process.send(protocol::GoOn{});
}  // NOLINT(clang-analyzer-cplusplus.NewDeleteLeaks): the list owns it.

/// Removes surplus snapshots: pinned ones last, and first those that come soonest after their predecessor.
void SnapshotLines::thin_out(Entry& entry, std::list<Stage>& removed) {
  const auto count = std::count_if(entry.line.begin(), entry.line.end(),
                                   [](const Stage& stage) { return stage.is_snapshot; });
  for (auto extra = count - most_snapshots; extra > 0; --extra) {
    auto least = entry.line.end();
    std::pair<bool, std::uint64_t> least_worth;
    std::uint64_t before_ms = 0;
    for (auto stage = entry.line.begin(); stage != entry.line.end() && stage->is_snapshot; ++stage) {
      const std::pair worth{stage->is_pinned, stage->position_ms - before_ms};
      if (least == entry.line.end() || worth < least_worth)
        std::tie(least, least_worth) = std::pair(stage, worth);
      before_ms = stage->position_ms;
    }
    removed.splice(removed.end(), entry.line, least);
  }
}

/// Handles the end of the last process of a line.
void SnapshotLines::has_ended(Entry& entry, const Stage& stage) {
  const bool is_outdated = stage.recorder.phase() == protocol::Phase::starts_over;
  const bool is_early = is_outdated && !entry.waits && !stage.is_snapshot;
  entry.goes_on = false;
  waits_no_more(entry);
  if (is_outdated && !(is_early && ++entry.early > most_early)) return;
  ++entry.refusals;
  entry.runs = 0;
  entry.never_cuda = entry.never_cuda || entry.may_hold_cuda;
  if (is_outdated) entry.refused = "files change while the tests are collected";
  if (entry.refused.empty()) entry.refused = "the process ended while it collected the tests";
  // The line gets no further than its last snapshot, which ends when it is outdated.
  if (entry.line.size() > 1) std::prev(entry.line.end(), 2)->process.send(protocol::GoOn{.is_last = true});
}

void SnapshotLines::end(Entry& entry) {
  for (Stage& stage : entry.line) end(std::move(stage));
  entry.line.clear();
  entry.goes_on = false;
  waits_no_more(entry);
}

/// The reason belongs to the process that waited.
void SnapshotLines::waits_no_more(Entry& entry) {
  if (std::exchange(entry.waits, false)) entry.refused.clear();
}

void SnapshotLines::end(Stage stage) {
  stage.process.kill();
  ending_.push_back(std::move(stage.process));
}

void SnapshotLines::collect(bool all) {
  ending_.remove_if([all](SnapshotProcess& process) {
    if (!all && !process.has_ended()) return false;
    process.collect();
    return true;
  });
}

void SnapshotLines::end() {
  for (Entry& entry : entries_) end(entry);
  collect(/*all=*/true);
}

void SnapshotLines::close_in_child() {
  for (SnapshotProcess& process : ending_) process.close_in_child();
  for (Entry& entry : entries_) {
    for (Stage& stage : entry.line) stage.process.close_in_child();
    entry.inotify.reset();
    entry.streams = {};
  }
}

std::set<pid_t> SnapshotLines::pids() const {
  std::set<pid_t> pids;
  for (const Entry& entry : entries_) {
    for (const Stage& stage : entry.line) pids.insert(stage.process.pid());
  }
  for (const SnapshotProcess& process : ending_) pids.insert(process.pid());
  return pids;
}

protocol::Snapshots SnapshotLines::state() const {
  protocol::Snapshots state;
  for (const Entry& entry : entries_) {
    if (entry.waits || !entry.refused.empty())
      state.lines.push_back({entry.request.args, entry.refused.empty(), entry.refused, entry.request.id});
  }
  return state;
}

}  // namespace stest
