#include "client/daemon_trial.hpp"

#include <unistd.h>

#include <nlohmann/json.hpp>

#include "client/client.hpp"
#include "common/os/process.hpp"

namespace stest {
namespace {

/// In the child: asks the daemon, and writes an error to the pipe.
[[noreturn]] void ask(const Endpoint& endpoint, int report) {
  const auto status = DaemonClient(endpoint).status();
  if (!status) (void)write_all(report, status.error().message);
  ::_exit(status ? 0 : 1);
}

std::string read_to_end(int fd) {
  std::string text;
  for (auto part = read_some(fd, 4096); part && !part->end; part = read_some(fd, 4096)) text += part->data;
  return text;
}

tl::unexpected<Error> unusable(const std::string& why) {
  return fail(ErrorCode::daemon_unavailable, "no daemon can be used here: " + why,
              "`stest doctor` says more");
}

}  // namespace

Status try_out(const Endpoint& endpoint) {
  auto report = make_pipe();
  if (!report) return unusable(report.error().message);
  const int pid = ::fork();
  if (pid < 0) return unusable(errno_error("fork").value().message);
  if (pid == 0) ask(endpoint, report->write.get());
  report->write.reset();
  const auto why = read_to_end(report->read.get());
  const auto ended = wait_for(pid).value_or(ExitStatus{});
  if (ended.code == 0) return {};
  return unusable(ended.signal ? "a client was ended by " + signal_name(*ended.signal) : why);
}

}  // namespace stest
