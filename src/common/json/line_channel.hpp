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

/// JSON Lines over a stream socket; descriptors can travel with a line (SCM_RIGHTS). Owns the socket. One
/// reader at a time; any number of writers.
class LineChannel {
 public:
  struct Line {
    std::string text;     ///< Without the newline.
    std::vector<Fd> fds;  ///< The descriptors that travelled with it, close-on-exec.
  };

  explicit LineChannel(Fd socket) : socket_(std::move(socket)) {}

  /// Sends `text` and a newline; the caller keeps `fds`. Errors: the other side has closed; `worker_failed`
  /// if it has not read for the time of `set_send_patience`. After an error the channel cannot be used any
  /// more.
  Status send(std::string_view text, const std::vector<int>& fds = {});

  /// Without this limit `send` waits for a reader without end. Must be called before the first `send`.
  void set_send_patience(std::chrono::milliseconds patience) {
    send_patience_ms_ = static_cast<int>(patience.count());
  }

  /// Waits for the next complete line; nothing if the other side has closed. A line has at most `max_line`
  /// bytes.
  Result<std::optional<Line>> receive();

  /// Whether `receive` would return a line without reading from the socket.
  bool has_buffered_line() const { return !lines_.empty(); }

  int fd() const { return socket_.get(); }
  /// Ends the stream: a `receive` that waits, on either side, returns nothing.
  void shutdown();

  static constexpr std::size_t max_line = 64u << 20;

 private:
  Result<std::size_t> send_part(std::string_view text, std::size_t from, const std::vector<int>& fds);
  Result<bool> read_more();  ///< Reads once from the socket; false at its end.
  void split(std::string_view bytes, std::vector<Fd> fds);

  Fd socket_;
  int send_patience_ms_ = -1;
  std::mutex write_mutex_;
  std::deque<Line> lines_;  ///< Read, but not yet received.
  Line partial_;            ///< The line whose end was not read yet.
};

}  // namespace stest
