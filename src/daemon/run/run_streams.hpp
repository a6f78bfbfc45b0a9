#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "common/os/fd.hpp"
#include "daemon/run/client_files.hpp"
#include "stest/messages.hpp"

namespace stest {

/// The daemon's ends of the streams of one process of a run: pipes, or the terminal that the client has made.
class RunStreams {
 public:
  /// The process's ends, open until they were sent. A missing stream goes to the terminal.
  struct Theirs {
    Fd in, out, err, events;
  };

  /// Opens all streams for a process, in place of those of the process before. If a file of the client cannot
  /// be opened, `tell` is called with the reason, and the process gets an empty stdin or no terminal. Errors:
  /// `internal`, out of descriptors.
  Result<Theirs> open(const RunRequest& request, const std::function<void(const std::string&)>& tell);
  /// What the process gets as stdin, stdout, stderr and event pipe.
  std::vector<int> fds_of(const Theirs& theirs, bool merges_streams) const;

  /// Closed at the end of the file; nothing if the stream goes to the terminal, or stderr to stdout.
  Fd& out() { return out_; }
  Fd& err() { return err_; }
  Fd& events() { return events_; }
  /// Nothing if the client has no terminal.
  std::optional<ClientTerminal>& terminal() { return terminal_; }

  /// Reads what is in the pipes now. Processes that the run has left behind may keep the pipes open and go on
  /// writing, so this is not everything up to the end of the file.
  void drain(const std::function<void(Stream, std::string)>& output,
             const std::function<void(const std::string&)>& events);

 private:
  void open_client_files(const RunRequest& request, Theirs& theirs,
                         const std::function<void(const std::string&)>& tell);

  std::optional<ClientTerminal> terminal_;
  Fd out_, err_, events_;
};

/// At most this many bytes are read at once.
inline constexpr std::size_t read_limit = 64u << 10;

}  // namespace stest
