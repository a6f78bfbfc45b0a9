#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "cli/run/crash_fold.hpp"
#include "cli/run/output_hold.hpp"
#include "cli/terminal/console.hpp"
#include "cli/terminal/signal_pipe.hpp"
#include "cli/terminal/terminal_modes.hpp"
#include "common/os/pty.hpp"

namespace stest {

/// The terminal of this process, and the standard streams that are connected to it.
struct TerminalStreams {
  int fd = -1;  ///< The terminal; -1 if neither stdout nor stderr is one.
  bool in = false;
  bool out = false;
  bool err = false;

  static TerminalStreams of_this_process();
};

/// Connects this process's terminal with a separate one for the tests: passes keys, output and sizes on. The
/// object has a thread for this, from `begin` to `finish`. It takes keys only if stdin and stdout both are
/// the terminal (otherwise `less` in `stest | less` would miss them), and only in the foreground.
class TerminalLink {
 public:
  /// Called by the object's thread.
  struct Actions {
    /// Ctrl-C was typed, or another key; see `Canceller::typed`.
    std::function<void(bool counts, bool reaches_tests)> ctrl_c;
    std::function<void(bool on)> suspend;  ///< The tests, because Ctrl-Z was typed.
  };

  /// `modes` are those of the terminal `streams.fd`. Errors: `internal`, if no terminal can be made.
  static Result<std::unique_ptr<TerminalLink>> open(TerminalStreams streams, TerminalModes& modes,
                                                    Console& console, Actions actions);
  ~TerminalLink() { finish(); }
  TerminalLink(const TerminalLink&) = delete;
  TerminalLink& operator=(const TerminalLink&) = delete;

  /// For the request.
  Terminal description() const { return {pty_.file(), streams_.in, streams_.out, streams_.err}; }

  /// Gives the terminal to the tests. Further calls do nothing.
  void begin();
  /// The run cannot start over any more. May be called by any thread.
  void settle();
  /// Restores this process's terminal, and shows the rest of the output. With `is_said_again` it drops the
  /// held output, because a cold run writes it again.
  void finish(bool is_said_again = false);

  /// Whether a key was typed.
  bool was_typed() const { return typed_; }

 private:
  TerminalLink(TerminalStreams streams, TerminalModes& modes, Console& console, Actions actions, Pty pty);

  void serve();
  bool step();
  bool take_signal();
  void take_keyboard();
  void read_keys();
  void type(std::string_view keys);
  void interrupt(const termios& modes);
  void suspend();
  void write_keys();
  int patience(bool waits_for_foreground) const;
  void show_output();
  void show(std::string_view bytes);
  void show_rest();

  const TerminalStreams streams_;
  TerminalModes& modes_;
  Console& console_;
  const Actions actions_;
  Pty pty_;
  std::optional<SignalPipe> signals_;  ///< Set while the tests have the terminal.
  OutputHold hold_;
  CrashFold fold_;
  std::string keys_;  ///< Typed, but not yet written to the tests' terminal.
  bool has_keyboard_ = true;
  bool has_output_ = true;
  bool is_said_again_ = false;
  std::atomic<bool> typed_ = false;
  std::thread thread_;
};

}  // namespace stest
