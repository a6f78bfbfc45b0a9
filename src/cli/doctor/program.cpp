#include "cli/doctor/program.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include <array>

#include "client/backoff.hpp"

namespace stest {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t read_limit = 64u << 10;

/// Reads what is available; closes the pipe at its end.
void take_available(Fd& pipe, std::string& text) {
  auto read = read_some(pipe.get(), read_limit);
  if (!read || read->end) return pipe.reset();
  text += read->data;
}

/// Reads both pipes to their end. False if the deadline comes first.
bool read_all(Fd& out, Fd& err, ProgramEnd& end, Clock::time_point deadline) {
  while (out || err) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    if (left.count() <= 0) return false;
    std::array<pollfd, 2> polled{{{out.get(), POLLIN, 0}, {err.get(), POLLIN, 0}}};
    ::poll(polled.data(), polled.size(), static_cast<int>(left.count()));
    if (polled[0].revents) take_available(out, end.out);
    if (polled[1].revents) take_available(err, end.err);
  }
  return true;
}

bool has_ended(int pid) {
  siginfo_t info{};
  const auto id = static_cast<id_t>(pid);
  return ::waitid(P_PID, id, &info, WEXITED | WNOWAIT | WNOHANG) != 0 || info.si_pid == pid;
}

/// A program may close its streams long before it ends. False if the deadline comes first.
bool await_end(int pid, Clock::time_point deadline) {
  for (Backoff backoff; !has_ended(pid); backoff.wait()) {
    if (Clock::now() >= deadline) return false;
  }
  return true;
}

}  // namespace

Result<ProgramEnd> run_program(SpawnOptions options, std::chrono::milliseconds limit) {
  auto out = make_pipe();
  auto err = make_pipe();
  if (!out || !err) return tl::unexpected(out ? err.error() : out.error());
  options.fds[1] = out->write.get();
  options.fds[2] = err->write.get();
  options.new_session = true;
  options.dies_with_parent = true;
  const auto pid = spawn(options);
  if (!pid) return tl::unexpected(pid.error());
  out->write.reset();
  err->write.reset();
  ProgramEnd end;
  const auto deadline = Clock::now() + limit;
  end.is_late = !read_all(out->read, err->read, end, deadline) || !await_end(*pid, deadline);
  if (end.is_late) ::kill(-*pid, SIGKILL);
  end.status = wait_for(*pid).value_or(ExitStatus{});
  return end;
}

}  // namespace stest
