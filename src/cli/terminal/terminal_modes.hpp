#pragma once

#include <termios.h>

#include <mutex>

namespace stest {

/// Whether this process may use the terminal `fd`: it is its own, and it is not in the background.
bool is_foreground(int fd);

/// The settings of this process's own terminal: changed while the tests have the keyboard, and put back
/// at the latest by the destructor, or by a signal that ends the process. Never touches a terminal that
/// another job uses. May be used by several threads; at most one object at a time.
class TerminalModes {
 public:
  explicit TerminalModes(int fd) : fd_(fd) {}
  ~TerminalModes() { restore(); }
  TerminalModes(const TerminalModes&) = delete;
  TerminalModes& operator=(const TerminalModes&) = delete;

  /// Every key arrives at once and as it is, none is echoed, no output is changed. Also after something
  /// else has set the terminal meanwhile. False in the background, and after `end`.
  bool make_raw();
  void restore();
  /// Restores for good.
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
