#include "daemon/service.hpp"

#include <spdlog/spdlog.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <nlohmann/json.hpp>
#include <utility>

#include "common/history/history.hpp"
#include "common/json/json_fields.hpp"
#include "common/os/python_executable.hpp"
#include "daemon/process_report.hpp"
#include "daemon/run/queue_progress.hpp"
#include "daemon/run/run_pump.hpp"

namespace stest {

namespace {

using Clock = std::chrono::steady_clock;

/// What is done after this part of `idle_timeout` without a run, in this order: what costs more to make again
/// ends later. Each step may be taken any number of times.
struct IdleStep {
  double part;
  void (*take)(WorkerManager&);
};
constexpr std::array<IdleStep, 4> idle_steps{
    {// Not at once, because a run that arrives while the new worker starts would have to wait.
     {1.0 / 12, [](WorkerManager& manager) { manager.renew(); }},
     {1.0 / 4, [](WorkerManager& manager) { manager.shrink(/*all=*/false); }},
     {1.0 / 2,
      [](WorkerManager& manager) {
        manager.shrink(/*all=*/true);
        manager.release(/*kept=*/1);
      }},
     {1.0, [](WorkerManager& manager) { manager.release(/*kept=*/0); }}}};
/// The daemon ends after this many times `idle_timeout`.
constexpr int daemon_idle_factor = 4;
/// The time between SIGTERM and SIGKILL for the tests' processes when the daemon stops.
constexpr std::chrono::seconds terminate_grace{2};
/// The time that runs have to notice the end of their worker.
constexpr std::chrono::seconds leave_grace{1};

using Moment = std::optional<std::chrono::system_clock::time_point>;

nlohmann::json moment_to_json(const Moment& moment) {
  if (!moment) return nullptr;
  return std::chrono::system_clock::to_time_t(*moment);
}

nlohmann::json tests_to_json(const RunningTests& tests) {
  auto list = nlohmann::json::array();
  for (const auto& one : tests.list()) {
    list.push_back({{"nodeid", bytes_to_json(one.nodeid)},
                    {"worker", bytes_to_json(one.worker)},
                    {"started_at", moment_to_json(one.since)}});
  }
  return list;
}

nlohmann::json run_to_json(const RunQueue::View& view) {
  const auto tests = tests_to_json(view.tests);
  return {{"id", view.run->id},
          {"state", view.position == 0 ? "running" : "queued"},
          {"position", view.position},
          {"args", list_to_json(view.run->request.args)},
          {"cwd", bytes_to_json(view.run->request.cwd)},
          {"nodeid", bytes_to_json(view.tests.nodeid())},
          {"python", view.run->request.python},
          {"parent", view.run->parent == 0 ? nlohmann::json() : nlohmann::json(view.run->parent)},
          {"since", view.run->since},
          {"started_at", moment_to_json(view.started)},
          {"test_started_at", tests.empty() ? nlohmann::json() : tests[0]["started_at"]},
          {"tests", tests}};
}

std::string result_to_text(const Run& run, const event::Done& done, const std::vector<std::string>& notices) {
  const nlohmann::json result = {{"id", run.id},
                                 {"exit_code", done.exit_code},
                                 {"outcome", name(done.outcome)},
                                 {"duration_s", done.duration_s},
                                 {"notice", notices},
                                 {"finished_at", std::time(nullptr)}};
  return result.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

nlohmann::json left_to_json(const std::vector<Children::Left>& left) {
  auto list = nlohmann::json::array();
  for (const auto& one : left) {
    list.push_back({{"pid", one.process.pid}, {"command", bytes_to_json(one.command)}, {"run", one.run}});
  }
  return list;
}

/// Those of `workers`, and the other processes whose purpose the daemon knows.
KnownProcesses known_processes(const KnownProcesses& workers, const std::vector<RunQueue::View>& runs,
                               const std::vector<Children::Left>& left) {
  auto known = workers;
  known[getpid()] = {ProcessRole::daemon, {}};
  for (const auto& view : runs) {
    const auto& run = *view.run;
    if (view.pid != 0) known[view.pid] = {ProcessRole::run, run.parent == 0 ? run.id : run.parent};
  }
  for (const auto& one : left) known[one.process.pid] = {ProcessRole::left_behind, one.run};
  return known;
}

nlohmann::json endpoint_to_json(const Endpoint& endpoint) {
  if (endpoint.socket.empty()) return {{"port", endpoint.port}};
  return {{"socket", endpoint.socket}};
}

}  // namespace

Service::Service(Options options, Children& children)
    : options_(std::move(options)),
      started_at_(std::time(nullptr)),
      children_(children),
      wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      board_(options_.status_file, options_.status),
      idle_timeout_(options_.idle_timeout),
      idle_since_(Clock::now()),
      manager_(options_.worker, children, [this] { refresh_status(); }) {
  refresh_status();
}

Service::~Service() { shut_down(); }

Result<std::shared_ptr<Service::Ticket>> Service::admit(RunRequest request, std::vector<Fd> fds) {
  if (request.cwd.empty() || request.cwd.front() != '/') {
    return fail(ErrorCode::bad_request, "\"cwd\" is not an absolute path");
  }
  if (!fds.empty() && (fds.size() != 3 || !request.python)) {
    return fail(ErrorCode::bad_request, "descriptors came with the request that are not those of a program");
  }
  auto config = load_config(options_.root, request.env);
  if (!config) return tl::unexpected(config.error());
  if (auto same = check_python(request.env); !same) return tl::unexpected(same.error());
  if (config->concurrency == 0) config->concurrency = default_concurrency(*config);
  if (!request.process) request.process = options_.process;
  // Its output goes past the daemon, so its silence says nothing.
  if (request.python) config->stuck_after = config->hang_timeout = {};
  auto run = queue_.admit(std::move(request), std::move(*config), std::move(fds));
  if (!run) return tl::unexpected(run.error());
  return std::make_shared<Ticket>(*this, std::move(*run));
}

/// The client makes sure of this. Others may post requests as well.
Status Service::check_python(const Environment& env) const {
  const auto& chosen = value_of(env, python_variable);
  const auto& own = options_.status.python;
  if (chosen.empty() || chosen == own) return {};
  return fail(ErrorCode::config, "SPRINTEST_PYTHON is " + chosen + ", and this daemon runs " + own,
              "`stest start` with this variable replaces the daemon.");
}

void Service::run(Ticket& ticket, const Listener& listener) {
  Run& run = *ticket.run_;
  std::vector<std::string> notices;
  RunRecord record(run.request.args, run.request.cwd, std::time(nullptr));
  const Listener observed{[&](const Event& event) {
                            record.take(event);
                            if (const auto* test = std::get_if<event::Test>(&event)) {
                              queue_.take(run, *test);
                            }
                            if (const auto* started = std::get_if<event::Started>(&event)) {
                              queue_.set_pid(run, started->pid);
                            }
                            note_silence(run, event);
                            if (const auto* notice = std::get_if<event::Notice>(&event)) {
                              notices.push_back(notice->text);
                            }
                            return listener.emit(event);
                          },
                          listener.alive};
  for (const auto& warning : run.config.warnings) observed.emit(event::Notice{warning});
  auto done = execute(run, observed);
  run.timings.end_stage("exit", monotonic_ns());
  done.duration_s = static_cast<double>(run.timings.end_ns() - run.timings.begin_ns) / 1e9;
  done.timings = run.timings;
  // `finish` comes before the client gets `done`, so that its next request finds that the run is over. The
  // idle tasks come afterwards, so that the client does not share the processor with them.
  const auto announced = announce_report(options_.status_file.parent_path());
  const auto idle_tasks = finish(run, done, notices);
  listener.emit(done);
  record.take(done);
  keep(run, record, done);
  idle_tasks();
}

/// The answer is out, so that neither a full disk nor another writer delays it. A run that the client does
/// cold is noted by the client.
void Service::keep(const Run& run, const RunRecord& record, const event::Done& done) const {
  if (run.request.python || done.exit_code == static_cast<int>(ExitCode::needs_cold)) return;
  auto history = History::open(options_.status_file.parent_path());
  const auto kept = history ? history->add(record.report()) : Status(tl::unexpected(history.error()));
  if (!kept) spdlog::warn("run {}: {}", run.id, kept.error().message);
}

void Service::note_silence(const Run& run, const Event& event) {
  if (std::holds_alternative<event::Stuck>(event)) queue_.set_silent(run, true);
  const bool is_sign =
      std::holds_alternative<event::Output>(event) || std::holds_alternative<event::Test>(event);
  if (is_sign) queue_.set_silent(run, false);
}

event::Done Service::execute(Run& run, const Listener& listener) {
  const auto over = await_turn(run, listener);
  run.timings.end_stage("queue", monotonic_ns());
  if (over) return *over;
  refresh_status();
  return run_on_worker(run, listener);
}

/// The result of a run that ended while it waited.
std::optional<event::Done> Service::await_turn(const Run& run, const Listener& listener) {
  QueueProgress progress(run, listener, queue_);
  const bool is_turn = queue_.await_turn(run, [&](int position) {
    progress.tell(position);
    return is_wanted(run, listener);
  });
  if (is_turn && !run.control.strongest()) return std::nullopt;
  return cancelled_result(run.control.reason());
}

/// If the worker does not answer before the run has begun, the run goes to the next worker, with a notice.
event::Done Service::run_on_worker(Run& run, const Listener& listener) {
  const auto report = try_on_worker(run, listener);
  const bool again = report && report->may_be_repeated && !run.control.strongest();
  const auto last = again ? try_on_worker(run, listener) : report;
  if (!last && last.error().code == ErrorCode::cancelled) return cancelled_result(run.control.reason());
  const bool can_be_cold =
      last || last.error().code == ErrorCode::worker_failed || last.error().code == ErrorCode::warming;
  if (!can_be_cold) return failed_result(last.error());
  const auto reason = last ? reason_for_cold(*last) : last.error().message;
  if (!reason) return result_of(*last);
  spdlog::info("run {}: needs a cold run: {}", run.id, *reason);
  listener.emit(event::Notice{*reason + ": ran cold"});
  return cold_result(*reason);
}

Result<RunReport> Service::try_on_worker(Run& run, const Listener& listener) {
  auto lease = manager_.acquire(run, listener);
  run.timings.end_stage("worker", monotonic_ns());
  if (!lease) return tl::unexpected(lease.error());
  auto report = RunPump(lease->worker(), run, listener).run();
  if (report.done) end_stages(run.timings, report.done->milestones, monotonic_ns());
  manager_.learn(*lease, run, report.observations);
  tell_left(run, report.left, listener);
  return report;
}

void Service::tell_left(const Run& run, std::vector<protocol::Done::Left> left, const Listener& listener) {
  // A process can be reported again, after it has become a child of another process of the worker.
  std::erase_if(left, [&](const auto& one) {
    return !children_.add_left({{one.pid, one.start_time}, one.command, run.id});
  });
  if (left.empty()) return;
  spdlog::info("run {}: {}", run.id, describe(left));
  listener.emit(event::Notice{describe(left)});
}

std::function<void()> Service::finish(const Run& run, const event::Done& done,
                                      const std::vector<std::string>& notices) {
  spdlog::info("run {}: {}, exit code {}, {:.2f} s {}", run.id, name(done.outcome), done.exit_code,
               done.duration_s, done.message);
  queue_.leave(run);
  if (!run.request.python) board_.set_last_result(result_to_text(run, done, notices));
  {
    std::lock_guard lock(mutex_);
    idle_since_ = Clock::now();
    idle_timeout_ = run.config.idle_timeout;
  }
  auto idle_tasks = queue_.empty() ? manager_.idle_tasks() : std::function<void()>([] {});
  refresh_status();
  wake();
  return idle_tasks;
}

Result<std::shared_ptr<Run>> Service::find(std::uint64_t id) const {
  auto run = queue_.find(id);
  if (run) return run;
  return fail(ErrorCode::not_found, "there is no run " + std::to_string(id),
              "It is over, or never existed; GET /v1/status lists all runs.");
}

Status Service::cancel(std::uint64_t id, CancelHow how) {
  const auto run = find(id);
  if (!run) return tl::unexpected(run.error());
  spdlog::info("run {}: {} asked for", id, name(how));
  (*run)->control.cancel(how, CancelReason::client);
  return {};
}

Status Service::suspend(std::uint64_t id, bool on) {
  const auto run = find(id);
  if (!run) return tl::unexpected(run.error());
  (*run)->control.suspend(on);
  return {};
}

Status Service::ask_stack(std::uint64_t id) {
  const auto run = find(id);
  if (!run) return tl::unexpected(run.error());
  (*run)->control.want_stack();
  return {};
}

nlohmann::json Service::status() const {
  auto runs = nlohmann::json::array();
  const auto views = queue_.list();
  for (const auto& view : views) runs.push_back(run_to_json(view));
  auto worker = manager_.describe();
  const auto left = children_.left();
  auto other_workers = manager_.describe_others();
  auto processes = report_processes(known_processes(manager_.processes(), views, left));
  const auto& daemon = board_.constants();
  return {{"version", daemon.version},         {"build", daemon.build},
          {"pid", daemon.process.pid},         {"root", options_.root.string()},
          {"python", daemon.python},           {"endpoint", endpoint_to_json(daemon.endpoint)},
          {"state", state(!runs.empty())},     {"started_at", started_at_},
          {"worker", std::move(worker)},       {"other_workers", std::move(other_workers)},
          {"runs", std::move(runs)},           {"left_behind", left_to_json(left)},
          {"processes", std::move(processes)}, {"last_result", nlohmann::json::parse(board_.last_result())}};
}

std::string Service::state(bool busy) const {
  {
    std::lock_guard lock(mutex_);
    if (stopping_) return "stopping";
  }
  if (manager_.is_warming()) return "warming";
  return busy ? "running" : "idle";
}

void Service::refresh_status() {
  board_.refresh([this] { return state(!queue_.empty()); });
}

void Service::stop(StopWhen when) {
  spdlog::info("stopping {}", when == StopWhen::now ? "now" : "when idle");
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    stop_now_ = stop_now_ || when == StopWhen::now;
  }
  queue_.close();
  if (when == StopWhen::now) queue_.cancel_all(CancelHow::terminate, CancelReason::stop);
  refresh_status();
  wake();
}

Service::Next Service::next_step() {
  eventfd_t count = 0;
  eventfd_read(wake_.get(), &count);
  const bool busy = !queue_.empty();
  {
    std::lock_guard lock(mutex_);
    if (stop_now_ || (stopping_ && !busy)) return {.end = true, .wait = {}};
  }
  if (busy) return {};
  if (!options_.why_useless) return idle_step();
  if (const auto reason = options_.why_useless()) {
    spdlog::info("ending: {}", *reason);
    stop(StopWhen::idle);
    return {.end = false, .wait = std::chrono::milliseconds::zero()};
  }
  auto next = idle_step();
  next.wait = std::min(next.wait.value_or(options_.use_interval), options_.use_interval);
  return next;
}

Service::Next Service::idle_step() {
  std::unique_lock lock(mutex_);
  if (idle_timeout_ <= std::chrono::milliseconds::zero()) return {};
  const auto timeout = idle_timeout_;
  const auto idle = std::chrono::floor<std::chrono::milliseconds>(Clock::now() - idle_since_);
  lock.unlock();
  for (const auto& step : idle_steps) {
    const auto due = std::chrono::ceil<std::chrono::milliseconds>(timeout * step.part);
    if (idle < due) return {.end = false, .wait = due - idle};
    step.take(manager_);
  }
  if (idle < timeout * daemon_idle_factor) return {.end = false, .wait = timeout * daemon_idle_factor - idle};
  stop(StopWhen::idle);
  return {.end = false, .wait = std::chrono::milliseconds::zero()};
}

void Service::wake() { eventfd_write(wake_.get(), 1); }

void Service::shut_down() {
  if (std::exchange(is_down_, true)) return;
  stop(StopWhen::now);
  if (!queue_.wait_until_empty(terminate_grace)) queue_.cancel_all(CancelHow::kill, CancelReason::stop);
  manager_.stop();
  children_.kill_all();
  queue_.wait_until_empty(leave_grace);
  board_.retire();
}

}  // namespace stest
