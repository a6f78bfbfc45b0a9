#include "cli/mcp/mcp_run.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "cli/project.hpp"
#include "cli/run/report_choice.hpp"
#include "stest/messages.hpp"

namespace stest {
namespace {

using nlohmann::json;

/// What a child process has written, line by line, until it has closed its output.
void each_line(int fd, const std::function<void(const std::string&)>& take) {
  std::string pending;
  std::array<char, 65536> bytes{};
  for (;;) {
    const auto count = ::read(fd, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    pending.append(bytes.data(), static_cast<std::size_t>(count));
    for (auto end = pending.find('\n'); end != std::string::npos; end = pending.find('\n')) {
      take(pending.substr(0, end));
      pending.erase(0, end + 1);
    }
  }
  if (!pending.empty()) take(pending);
}

/// Collects the text for the agent from the events of a run.
class RunAnswer {
 public:
  explicit RunAnswer(McpCall& call) : call_(call) {}

  void take(const std::string& line) {
    const auto value = json::parse(line, nullptr, false);
    const auto event = value.is_object() ? event_from_json(value)
                                         : Result<Event>(fail(ErrorCode::bad_request, "not an event"));
    if (!event) return add(line + "\n");
    if (const auto* output = std::get_if<event::Output>(&*event)) add(output->data);
    if (const auto* notice = std::get_if<event::Notice>(&*event)) notices_ += "stest: " + notice->text + "\n";
    if (const auto* stuck = std::get_if<event::Stuck>(&*event)) take_stuck(*stuck);
    if (const auto* test = std::get_if<event::Test>(&*event)) take_test(*test);
    if (const auto* done = std::get_if<event::Done>(&*event)) take_done(*done);
  }

  std::string text() const { return text_ + notices_; }

 private:
  void add(const std::string& text) { text_ += text; }
  void take_test(const event::Test& test) {
    if (test.when == "start") call_.progress(finished_, test.nodeid);
    if (test.when == "teardown") call_.progress(++finished_, test.nodeid);
  }
  void take_stuck(const event::Stuck& stuck) { call_.progress(finished_, "no output from " + stuck.nodeid); }
  void take_done(const event::Done& done) {
    if (done.message.empty()) return;
    add("exit " + std::to_string(done.exit_code) + ": " + done.message + "\n");
    if (!done.hint.empty()) add(done.hint + "\n");
  }

  McpCall& call_;
  std::string text_, notices_;
  int finished_ = 0;
};

struct Ended {
  std::string text;
  ExitStatus status;
};

Result<Ended> run_child(std::vector<std::string> args, const Environment& env, McpCall& call) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return errno_error("cannot make a pipe");
  Fd out(ends[0]), in(ends[1]);
  SpawnOptions options;
  options.executable = executable_folder() / "stest";
  options.args = std::move(args);
  options.env = &env;
  options.fds = {{1, in.get()}, {2, in.get()}};
  options.new_session = true;
  options.dies_with_parent = true;
  const auto pid = spawn(options);
  if (!pid) return tl::unexpected(pid.error());
  in.reset();
  call.set_process(*pid);
  RunAnswer answer(call);
  each_line(out.get(), [&](const std::string& line) { answer.take(line); });
  while (!has_ended(*pid)) ::usleep(1000);
  call.set_process(0);
  return Ended{answer.text(), wait_for(*pid).value_or(ExitStatus{})};
}

/// With `--events` stest makes no cold run itself.
bool wants_cold(const ExitStatus& status) {
  constexpr std::array<ExitCode, 3> codes{ExitCode::needs_cold, ExitCode::daemon_unavailable,
                                          ExitCode::worker_failed};
  return std::any_of(codes.begin(), codes.end(),
                     [&](ExitCode code) { return status.code == static_cast<int>(code); });
}

}  // namespace

ToolAnswer run_for_mcp(const std::vector<std::string>& pytest_args, McpCall& call) {
  const auto project = current_project();
  if (!project) return {project.error().message, true};
  auto env = project->env;
  env["STEST_BRIEF"] = (project->paths.directory / "logs").string();
  std::vector<std::string> args{"run", "--events", "--", "-p", brief_plugin};
  args.insert(args.end(), pytest_args.begin(), pytest_args.end());
  auto ended = run_child(args, env, call);
  if (ended && wants_cold(ended->status) && !call.is_cancelled()) {
    args[1] = "--cold";
    const auto why = ended->text;
    ended = run_child(args, env, call);
    if (ended) ended->text += why;
  }
  if (!ended) return {ended.error().message, true};
  return {ended->text, ended->status.code.value_or(100) >= 100};
}

}  // namespace stest
