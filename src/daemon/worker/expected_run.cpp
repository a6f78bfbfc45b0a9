#include "daemon/worker/expected_run.hpp"

#include <utility>

#include "daemon/run/client_files.hpp"

namespace stest {

Result<ExpectedRun> ExpectedRun::of(const Run& run) {
  ExpectedRun made;
  made.message_ = message_for(run);
  made.merges_streams_ = run.request.merge_streams;
  auto request = run.request;
  request.input.reset();  // Plain pytest reads it.
  if (request.terminal) {
    const auto theirs = ClientTerminal::open(request.terminal->file);
    if (!theirs) return tl::unexpected(theirs.error());
    auto terminal = Pty::open(theirs->fd());
    if (!terminal) return tl::unexpected(terminal.error());
    request.terminal->file = terminal->file();
    made.terminal_ = std::move(*terminal);
  }
  auto streams = made.streams_.open(request, [](const auto&) {});
  if (!streams) return tl::unexpected(streams.error());
  made.theirs_ = std::move(*streams);
  return made;
}

Status ExpectedRun::send_to(WorkerProcess& worker) const {
  auto fds = streams_.fds_of(theirs_, merges_streams_);
  if (terminal_) fds.push_back(terminal_->fd());  // A terminal without its other side is none any more.
  return worker.send(protocol::ExpectRun{message_}, fds);
}

}  // namespace stest
