#include "cli/doctor/doctor_sandbox.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <system_error>

#include "common/json/line_channel.hpp"
#include "common/os/fd.hpp"
#include "common/os/process.hpp"

namespace stest {
namespace {

namespace fs = std::filesystem;

constexpr const char* remedy =
    "If a sandbox denies it, allow socket(AF_UNIX), bind, listen, connect, accept4, sendto, recvfrom, "
    "socketpair, sendmsg and recvmsg. Otherwise choose a folder on a local file system with SPRINTEST_DIR.";

/// In the child: reports each call before it is made, because a sandbox may end the process at the call.
class Steps {
 public:
  explicit Steps(int report) : report_(report) {}

  void begin(const std::string& call) const { (void)write_all(report_, "\n" + call); }

  /// Ends the process if the call has failed.
  void need(bool done) const {
    if (done) return;
    (void)write_all(report_, ": " + std::generic_category().message(errno));
    ::_exit(1);
  }

 private:
  int report_;
};

void connect_and_talk(const fs::path& path, const Steps& steps) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  const auto* generic = reinterpret_cast<const sockaddr*>(&address);
  char byte = 'x';
  steps.begin("socket");
  const Fd server(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const Fd client(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  steps.need(server && client);
  steps.begin("bind");
  steps.need(::bind(server.get(), generic, sizeof address) == 0);
  steps.begin("listen");
  steps.need(::listen(server.get(), 1) == 0);
  steps.begin("connect");
  steps.need(::connect(client.get(), generic, sizeof address) == 0);
  steps.begin("accept4");
  const Fd accepted(::accept4(server.get(), nullptr, nullptr, SOCK_CLOEXEC));
  steps.need(bool(accepted));
  steps.begin("sendto");
  steps.need(::send(client.get(), &byte, 1, MSG_NOSIGNAL) == 1);
  steps.begin("recvfrom");
  steps.need(::recv(accepted.get(), &byte, 1, 0) == 1);
}

/// Passes a descriptor as daemon and worker do.
void pass_a_descriptor(const Steps& steps) {
  steps.begin("socketpair");
  auto pair = make_socketpair();
  steps.need(pair.has_value());
  LineChannel ours(std::move(pair->first));
  LineChannel theirs(std::move(pair->second));
  steps.begin("sendmsg");
  steps.need(ours.send("", {STDIN_FILENO}).has_value());
  steps.begin("recvmsg");
  const auto line = theirs.receive();
  steps.need(line && *line && (*line)->fds.size() == 1);
}

std::string last_line_of(int fd) {
  std::string text;
  for (auto part = read_some(fd, 4096); part && !part->end; part = read_some(fd, 4096)) text += part->data;
  return text.substr(text.rfind('\n') + 1);
}

/// The call that failed, and why; nothing if all went well.
std::optional<std::string> try_out(const fs::path& path) {
  auto report = make_pipe();
  if (!report) return report.error().message;
  const int pid = ::fork();
  if (pid < 0) return "fork: " + std::generic_category().message(errno);
  if (pid == 0) {
    const Steps steps(report->write.get());
    connect_and_talk(path, steps);
    pass_a_descriptor(steps);
    ::_exit(0);
  }
  report->write.reset();
  const auto said = last_line_of(report->read.get());
  const auto ended = wait_for(pid).value_or(ExitStatus{});
  ::unlink(path.c_str());
  if (ended.code == 0) return std::nullopt;
  return ended.signal ? said + ": " + signal_name(*ended.signal) : said;
}

}  // namespace

Finding check_socket(const RuntimePaths& paths) {
  const auto folder = paths.socket.parent_path();
  // Not longer than the name of the daemon's socket.
  if (const auto failed = try_out(folder / ("d" + std::to_string(::getpid() % 10'000) + ".sock"))) {
    return failure("socket", "no socket can be used in " + folder.string() + " (" + *failed + ")", remedy);
  }
  const auto detail = paths.socket.string() + ", " + std::to_string(paths.socket.native().size()) +
                      " of at most " + std::to_string(sizeof(sockaddr_un{}.sun_path) - 1) + " bytes";
  return fine("socket",
              folder == paths.directory ? detail : detail + "; a path in the state folder would be too long");
}

}  // namespace stest
