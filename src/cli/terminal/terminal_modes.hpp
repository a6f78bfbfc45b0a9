#pragma once

#include <termios.h>

#include <mutex>

namespace stest {

/// Whether `fd` is this process's terminal, and the process is in the foreground.
bool is_foreground(int fd);

/// The settings of this process's terminal. They are changed while the tests have the keyboard. The
/// destructor restores them at the latest, or a signal that ends the process. A terminal that another job
/// uses is never changed. May be used by several threads; at most one object may exist at a time.
class TerminalModes {
 public:
  explicit TerminalModes(int fd) : fd_(fd) {}
  ~TerminalModes() { restore(); }
  TerminalModes(const TerminalModes&) = delete;
  TerminalModes& operator=(const TerminalModes&) = delete;

  /// Sets the raw mode: keys arrive at once and unchanged, without echo, and output is not changed. Also if
  /// another program has set the terminal in the meantime. False in the background, and after `end`.
  bool make_raw();
  void restore();
  /// Restores; `make_raw` has no effect afterwards.
  void end();

  bool is_raw() const;

 private:
  void restore_locked();

  const int fd_;
  mutable std::mutex mutex_;
  bool is_raw_ = false;
  bool has_ended_ = false;
  termios saved_{};
};

}  // namespace stest
