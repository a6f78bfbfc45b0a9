#include "client/program.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include <array>
#include <nlohmann/json.hpp>

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
  // A program may close its streams long before it ends.
  end.is_late = !read_all(out->read, err->read, end, deadline) ||
                !wait_until(deadline, [&] { return has_ended(*pid); });
  if (end.is_late) ::kill(-*pid, SIGKILL);
  end.status = wait_for(*pid).value_or(ExitStatus{});
  return end;
}

std::string last_line(std::string text) {
  text.erase(text.find_last_not_of(" \n\r\t") + 1);
  return text.substr(text.rfind('\n') + 1);
}

std::string how_it_ended(const ExitStatus& status) {
  if (status.signal) return "was ended by " + signal_name(*status.signal);
  return "ended with exit code " + std::to_string(status.code.value_or(-1));
}

std::string how_it_ended(const std::filesystem::path& program, const ProgramEnd& end) {
  const auto text = program.string() + " " + (end.is_late ? "did not end in time" : how_it_ended(end.status));
  const auto said = last_line(end.err);
  return said.empty() ? text : text + ", and wrote: " + said;
}

Result<nlohmann::json> answer_of(const std::filesystem::path& program, const Result<ProgramEnd>& end) {
  if (!end) return fail(ErrorCode::worker_failed, end.error().message);
  auto answer = nlohmann::json::parse(last_line(end->out), nullptr, false);
  if (!end->is_late && answer.is_object()) return answer;
  return fail(ErrorCode::worker_failed, how_it_ended(program, *end));
}

std::string string_field(const nlohmann::json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

}  // namespace stest
