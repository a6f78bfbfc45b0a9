#include "worker/snapshot/forked.hpp"

#include <signal.h>
#include <sys/mman.h>

#include <utility>

namespace stest {

std::optional<Link> make_link() {
  auto channel = make_socketpair();
  Fd memory(::memfd_create("flight recorder", MFD_CLOEXEC));
  auto recorder = memory ? FlightRecorder::create(memory) : tl::unexpected(Error{});
  if (!channel || !recorder) return std::nullopt;
  return Link{std::move(channel->first), std::move(channel->second), std::move(memory), std::move(*recorder)};
}

std::optional<Forked> forked(SnapshotProcess::Said said) {
  const auto* started = std::get_if<protocol::Started>(&said.message);
  const auto* snapshot = std::get_if<protocol::Snapshot>(&said.message);
  if (said.fds.empty() || (started == nullptr && snapshot == nullptr)) return std::nullopt;
  const pid_t pid = started != nullptr ? started->pid : snapshot->pid;
  auto recorder = FlightRecorder::map(said.fds.front());
  if (!recorder) {
    ::kill(pid, SIGKILL);
    return std::nullopt;
  }
  return Forked{pid, std::move(*recorder), said.fds.size() > 1 ? std::move(said.fds[1]) : Fd()};
}

std::optional<Forked> fork_from(SnapshotProcess& snapshot, const protocol::RunTest& request,
                                const std::vector<Fd>& fds) {
  snapshot.send(request, fds);
  auto said = snapshot.await<protocol::Started>();
  return said ? forked(std::move(*said)) : std::nullopt;
}

std::optional<Forked> fork_from(SnapshotProcess& snapshot, const protocol::GoOn& message,
                                const std::vector<int>& fds) {
  snapshot.send(message, fds);
  auto said = snapshot.await<protocol::Snapshot>();
  return said ? forked(std::move(*said)) : std::nullopt;
}

}  // namespace stest
