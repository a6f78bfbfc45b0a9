#include "primed_runners.hpp"

#include <poll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <tuple>
#include <utility>

#include "file_reads.hpp"
#include "runner.hpp"

namespace stest {

namespace {

/// An answer is a matter of some `stat`s.
constexpr int answer_ms = 5000;
/// Files that are written all the time must not have the tests collected all the time.
constexpr int most_forks = 30;
constexpr int most_early = 3;
/// A runner that could not be forked ahead is tried again after 1, 2, 4 … runs; never more than 2^this.
constexpr int most_doublings = 6;

bool is_same_request(const protocol::RunTest& a, const protocol::RunTest& b) {
  const auto key = [](const protocol::RunTest& run) {
    return std::tie(run.args, run.cwd, run.env, run.umask, run.mode, run.process);
  };
  return key(a) == key(b);
}

bool is_same_file(int one, int other) {
  struct stat first {
  }, second{};
  return ::fstat(one, &first) == 0 && ::fstat(other, &second) == 0 && first.st_dev == second.st_dev &&
         first.st_ino == second.st_ino;
}

/// What a terminal shows depends on the very terminal.
bool may_prime(const protocol::RunTest& request, const std::vector<Fd>& fds) {
  return request.prime && file_reads::is_supported() &&
         std::none_of(fds.begin(), fds.begin() + 3, [](const Fd& fd) { return ::isatty(fd.get()) != 0; });
}

}  // namespace

void PrimedRunners::learn(const PrimedRunners& other, protocol::RunMode mode) {
  for (const Entry& entry : other.entries_) {
    if (entry.request.mode == mode)
      entries_.push_back({.request = entry.request, .merged = entry.merged, .written = entry.written});
  }
  if (other.spare_.mode == mode) spare_.mode = mode;
  spare_.written = other.spare_.written;
}

void PrimedRunners::note(const protocol::RunTest& request, const std::vector<Fd>& fds) {
  spare_.mode = request.prime ? std::optional(request.mode) : std::nullopt;
  const bool may_be_primed = may_prime(request, fds);
  Entry* known = may_be_primed ? find(request, fds) : nullptr;
  for (Entry& entry : entries_) {
    if (!entry.may_hold_cuda || &entry == known) continue;
    end(entry);
    collect(/*all=*/true);  // The device's memory is for the run.
  }
  if (!may_be_primed) return;
  if (known != nullptr) {
    const auto position = std::find_if(entries_.begin(), entries_.end(),
                                       [known](const Entry& entry) { return &entry == known; });
    entries_.splice(entries_.begin(), entries_, position);
  } else {
    if (entries_.size() == most) {
      end(entries_.back());
      entries_.pop_back();
    }
    entries_.push_front({request, is_same_file(fds[1].get(), fds[2].get())});
  }
  auto& noted = entries_.front();
  ++noted.runs;
  noted.request.id = request.id;
  noted.begun_ns = file_reads::now_ns();
}

void PrimedRunners::likes_cuda_ahead(std::uint64_t id) {
  for (Entry& entry : entries_) {
    if (entry.request.id == id) entry.likes_cuda_since_ns = entry.begun_ns;
  }
}

PrimedRunners::Entry* PrimedRunners::find(const protocol::RunTest& request, const std::vector<Fd>& fds) {
  const bool merged = is_same_file(fds[1].get(), fds[2].get());
  const auto known = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) {
    return entry.merged == merged && is_same_request(entry.request, request);
  });
  return known == entries_.end() ? nullptr : &*known;
}

void PrimedRunners::prime(bool may) {
  is_allowed_ = may;
  for (Entry& entry : entries_) {
    entry.forks = 0;
    if (!may && !entry.waits) end(entry);
  }
  if (may) fork_spare();
  fork_next();
}

std::optional<PrimedRunners::Taken> PrimedRunners::take(const protocol::RunTest& request,
                                                        const std::vector<Fd>& fds) {
  auto taken = take_primed(request, fds);
  return taken ? std::move(taken) : take_spare(request, fds);
}

std::optional<PrimedRunners::Taken> PrimedRunners::take_spare(const protocol::RunTest& request,
                                                              const std::vector<Fd>& fds) {
  if (!request.prime || !spare_.branch) return std::nullopt;
  if (!begins(*spare_.branch, request, fds)) {
    end(spare_.branch);
    return std::nullopt;
  }
  return let_go(spare_.branch, spare_.recorder);
}

std::optional<PrimedRunners::Taken> PrimedRunners::take_primed(const protocol::RunTest& request,
                                                               const std::vector<Fd>& fds) {
  Entry* entry = may_prime(request, fds) ? find(request, fds) : nullptr;
  if (entry == nullptr || !entry->waits) return std::nullopt;
  if (!begins(*entry->branch, request, fds)) {
    end(*entry);
    return std::nullopt;
  }
  entry->waits = false;
  return let_go(entry->branch, entry->recorder);
}

PrimedRunners::Taken PrimedRunners::let_go(std::optional<Branch>& branch,
                                           std::optional<FlightRecorder>& recorder) {
  Taken taken{branch->release(), std::move(*recorder)};
  branch.reset();
  return taken;
}

/// Whether the process has begun the run. Blocks for its answer: one that has just been killed gives none.
bool PrimedRunners::begins(Branch& branch, const protocol::RunTest& request, const std::vector<Fd>& fds) {
  if (branch.fd() < 0) return false;  // It is about to end.
  branch.send(request, fds);
  pollfd answer{branch.fd(), POLLIN, 0};
  while (::poll(&answer, 1, answer_ms) < 0 && errno == EINTR) {
  }
  const auto said = answer.revents != 0 ? branch.receive() : std::vector<protocol::FromWorker>();
  return std::any_of(said.begin(), said.end(),
                     [](const auto& message) { return std::holds_alternative<protocol::Started>(message); });
}

bool PrimedRunners::may_fork(const Entry& entry) const {
  return is_here(entry) && !entry.branch && entry.forks < most_forks &&
         (entry.refusals == 0 || entry.runs >= 1 << std::min(entry.refusals, most_doublings));
}

void PrimedRunners::fork_next() {
  const auto collects = [](const Entry& entry) { return entry.branch && !entry.waits; };
  if (!is_allowed_ || std::any_of(entries_.begin(), entries_.end(), collects)) return;
  const auto next =
      std::find_if(entries_.begin(), entries_.end(), [this](const Entry& entry) { return may_fork(entry); });
  if (next != entries_.end()) fork(*next);
}

void PrimedRunners::fork_spare() {
  if (!wants_spare() || (spare_.branch && !spare_.branch->has_ended())) return;
  auto recorder = FlightRecorder::create();
  if (!recorder) return;
  end(spare_.branch);
  auto branch = Branch::fork_for_run([&](LineChannel& channel) {
    leave_();
    be_first_to_go();
    if (spare_.written) spare_.written->copy_ahead();
    auto run = receive_run(channel);
    if (!run) return;
    say_begun(channel);
    run_in_this_process(run->request, std::move(run->fds), std::move(*recorder),
                        preloader_.environment_changes(), spare_.written);
  });
  if (!branch) return;
  spare_.recorder = std::move(*recorder);
  spare_.branch.emplace(std::move(*branch));
}

/// The one for the last request only: each takes memory of the device.
std::optional<std::int64_t> PrimedRunners::cuda_for(const Entry& entry) const {
  return &entry == &entries_.front() && !entry.never_cuda ? entry.likes_cuda_since_ns : std::nullopt;
}

void PrimedRunners::fork(Entry& entry) {
  ++entry.forks;
  const auto likes_cuda_since_ns = cuda_for(entry);
  auto recorder = FlightRecorder::create();
  if (!recorder) return;
  entry.inotify = Fd(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  auto branch = Branch::fork_for_run([&](LineChannel& channel) {
    auto inotify = std::move(entry.inotify);
    leave_();
    prime_in_this_process(channel, std::move(inotify), entry.request, entry.merged, likes_cuda_since_ns,
                          entry.written, std::move(*recorder), preloader_.environment_changes());
  });
  if (!branch) return;
  entry.recorder = std::move(*recorder);
  entry.branch.emplace(std::move(*branch));
  entry.may_hold_cuda = likes_cuda_since_ns.has_value();
}

std::array<int, PrimedRunners::most> PrimedRunners::fds() const {
  std::array<int, most> fds;
  fds.fill(-1);
  std::transform(entries_.begin(), entries_.end(), fds.begin(),
                 [](const Entry& entry) { return entry.branch ? entry.branch->fd() : -1; });
  return fds;
}

void PrimedRunners::attend() {
  collect(/*all=*/false);
  for (Entry& entry : entries_) is_here(entry) ? attend(entry) : end(entry);
  if (!wants_spare()) end(spare_.branch);
  fork_next();
}

void PrimedRunners::attend(Entry& entry) {
  if (!entry.branch) return;
  const bool is_over = entry.branch->has_ended();  // Before reading, so that nothing is said after it.
  for (const auto& message : entry.branch->receive()) {
    const auto* primed = std::get_if<protocol::Primed>(&message);
    if (primed == nullptr) continue;
    entry.waits = primed->waiting > 0;
    entry.refused = primed->refused;
    if (entry.waits) entry.refusals = entry.early = 0;
  }
  if (is_over) has_ended(entry);
}

void PrimedRunners::has_ended(Entry& entry) {
  const bool declined = entry.recorder->phase() == protocol::Phase::declined;
  if (!declined || (!entry.waits && ++entry.early > most_early)) {
    ++entry.refusals;
    entry.runs = 0;
    entry.never_cuda = entry.never_cuda || entry.may_hold_cuda;
    if (declined) entry.refused = "files change while the tests are collected";
    if (entry.refused.empty()) entry.refused = "the process ended while it collected the tests";
  }
  end(entry);
}

void PrimedRunners::end(Entry& entry) {
  end(entry.branch);
  entry.waits = false;
}

void PrimedRunners::end(std::optional<Branch>& branch) {
  if (!branch) return;
  branch->kill();
  ending_.push_back(std::move(*branch));
  branch.reset();
}

void PrimedRunners::collect(bool all) {
  ending_.remove_if([all](Branch& branch) {
    if (!all && !branch.has_ended()) return false;
    branch.collect();
    return true;
  });
}

void PrimedRunners::end() {
  for (Entry& entry : entries_) end(entry);
  end(spare_.branch);
  collect(/*all=*/true);
}

void PrimedRunners::abandon() {
  if (spare_.branch) spare_.branch->abandon();
  for (Branch& branch : ending_) branch.abandon();
  for (Entry& entry : entries_) {
    if (entry.branch) entry.branch->abandon();
    entry.inotify.reset();
  }
}

std::set<pid_t> PrimedRunners::pids() const {
  std::set<pid_t> pids;
  for (const Entry& entry : entries_) {
    if (entry.branch) pids.insert(entry.branch->pid());
  }
  if (spare_.branch) pids.insert(spare_.branch->pid());
  for (const Branch& branch : ending_) pids.insert(branch.pid());
  return pids;
}

protocol::Primed PrimedRunners::state() const {
  const auto waiting = std::count_if(entries_.begin(), entries_.end(),
                                     [this](const Entry& entry) { return entry.waits && is_here(entry); });
  const bool is_last_here = !entries_.empty() && is_here(entries_.front());
  return {static_cast<int>(waiting), is_last_here ? entries_.front().refused : ""};
}

}  // namespace stest
