#include "daemon/run/run_streams.hpp"

#include <fcntl.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <utility>

namespace stest {

namespace {

/// Makes a pipe. `ours` gets its non-blocking read end, and `theirs` its write end.
Status connect(Fd& ours, Fd& theirs) {
  auto pipe = make_pipe();
  if (!pipe) return tl::unexpected(pipe.error());
  ours = std::move(pipe->read);
  theirs = std::move(pipe->write);
  return set_nonblocking(ours.get(), true);
}

/// The number of bytes in a pipe.
std::size_t bytes_in(int fd) {
  int count = 0;
  return ioctl(fd, FIONREAD, &count) == 0 ? static_cast<std::size_t>(count) : 0;
}

void drain_pipe(const Fd& pipe, const std::function<void(std::string)>& use) {
  for (auto left = pipe ? bytes_in(pipe.get()) : 0; left > 0;) {
    auto read = read_some(pipe.get(), std::min(left, read_limit));
    if (!read || read->data.empty()) return;
    left -= read->data.size();
    use(std::move(read->data));
  }
}

}  // namespace

void RunStreams::open_client_files(const RunRequest& request, Theirs& theirs,
                                   const std::function<void(const std::string&)>& tell) {
  terminal_.reset();
  if (request.terminal) {
    auto terminal = ClientTerminal::open(request.terminal->file);
    if (terminal) {
      terminal_ = std::move(*terminal);
    } else {
      tell("the tests have no terminal: " + terminal.error().message);
    }
  }
  if (!request.input) return;
  auto input = open_client_input(*request.input);
  if (input) {
    theirs.in = std::move(*input);
  } else {
    tell("the tests have an empty stdin: " + input.error().message);
  }
}

Result<RunStreams::Theirs> RunStreams::open(const RunRequest& request,
                                            const std::function<void(const std::string&)>& tell) {
  Theirs theirs;
  open_client_files(request, theirs, tell);
  const auto shared = terminal_ ? *request.terminal : Terminal{};
  if (!theirs.in && !shared.in) {
    theirs.in = Fd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    if (!theirs.in) return errno_error("open /dev/null");
  }
  if (!shared.out) {
    if (auto made = connect(out_, theirs.out); !made) return tl::unexpected(made.error());
  }
  if (!shared.err && !request.merge_streams) {
    if (auto made = connect(err_, theirs.err); !made) return tl::unexpected(made.error());
  }
  if (auto made = connect(events_, theirs.events); !made) return tl::unexpected(made.error());
  return theirs;
}

std::vector<int> RunStreams::fds_of(const Theirs& theirs, bool merges_streams) const {
  const auto or_terminal = [this](const Fd& fd) { return fd || !terminal_ ? fd.get() : terminal_->fd(); };
  const auto& err = !theirs.err && merges_streams ? theirs.out : theirs.err;
  return {or_terminal(theirs.in), or_terminal(theirs.out), or_terminal(err), theirs.events.get()};
}

void RunStreams::drain(const std::function<void(Stream, std::string)>& output,
                       const std::function<void(const std::string&)>& events) {
  drain_pipe(out_, [&](std::string data) { output(Stream::out, std::move(data)); });
  drain_pipe(err_, [&](std::string data) { output(Stream::err, std::move(data)); });
  drain_pipe(events_, events);
}

}  // namespace stest
