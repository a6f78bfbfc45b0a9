#pragma once

#include <chrono>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/os/fd.hpp"

namespace stest {

/// JSON Lines over a stream socket, with descriptors travelling beside a line (SCM_RIGHTS).
/// Owns the socket. One reader at a time; any number of writers.
class LineChannel {
 public:
  struct Line {
    std::string text;     ///< Without the newline.
    std::vector<Fd> fds;  ///< What travelled with it, close-on-exec.
  };

  explicit LineChannel(Fd socket) : socket_(std::move(socket)) {}

  /// Sends `text` and a newline; `fds` stay the caller's. Errors: the other side is gone; `worker_failed`
  /// when it has not read for as long as `set_send_patience` allows. The channel is then of no more use.
  Status send(std::string_view text, const std::vector<int>& fds = {});

  /// Without it `send` waits for a reader for ever. To be called before the first `send`.
  void set_send_patience(std::chrono::milliseconds patience) {
    send_patience_ms_ = static_cast<int>(patience.count());
  }

  /// Blocks for the next whole line; nothing once the other side has closed. A line may have any
  /// length up to `max_line`.
  Result<std::optional<Line>> receive();

  /// Whether `receive` would return a line without reading from the socket.
  bool has_buffered_line() const { return !lines_.empty(); }

  int fd() const { return socket_.get(); }
  /// Wakes a blocked `receive` on either side, which then sees the end.
  void shutdown();

  static constexpr std::size_t max_line = 64u << 20;

 private:
  Result<std::size_t> send_part(std::string_view text, std::size_t from, const std::vector<int>& fds);
  Result<bool> read_more();  ///< One read from the socket; false at its end.
  void split(std::string_view bytes, std::vector<Fd> fds);

  Fd socket_;
  int send_patience_ms_ = -1;
  std::mutex write_mutex_;
  std::deque<Line> lines_;  ///< Read, but not yet received.
  Line partial_;            ///< The line whose end has not been read.
};

}  // namespace stest
