#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "cli/run/output_hold.hpp"
#include "cli/terminal/console.hpp"
#include "cli/terminal/signal_pipe.hpp"
#include "cli/terminal/terminal_modes.hpp"
#include "common/os/pty.hpp"

namespace stest {

/// Which standard streams of this process are its terminal.
struct TerminalStreams {
  int fd = -1;  ///< The terminal; -1: neither stdout nor stderr is one.
  bool in = false;
  bool out = false;
  bool err = false;

  static TerminalStreams of_this_process();
};

/// Joins this process's terminal with one of the tests' own: keys go in, output comes out, sizes follow.
/// A thread of this object does it, from `begin` to `finish`. Keys are taken only where stdin and stdout
/// both are the terminal (else `less` in `stest | less` would miss them), and only in the foreground.
class TerminalLink {
 public:
  /// All are called on the object's thread.
  struct Actions {
    /// Ctrl-C was typed, or another key; see `Canceller::typed`.
    std::function<void(bool counts, bool reaches_tests)> ctrl_c;
    std::function<void(bool on)> suspend;  ///< The tests, because Ctrl-Z was typed.
  };

  /// `modes` are those of the terminal `streams.fd`. Errors: `internal`, no terminal to be had.
  static Result<std::unique_ptr<TerminalLink>> open(TerminalStreams streams, TerminalModes& modes,
                                                    Console& console, Actions actions);
  ~TerminalLink() { finish(); }
  TerminalLink(const TerminalLink&) = delete;
  TerminalLink& operator=(const TerminalLink&) = delete;

  /// For the request.
  Terminal description() const { return {pty_.file(), streams_.in, streams_.out, streams_.err}; }

  /// The tests have the terminal now. Further calls do nothing.
  void begin();
  /// The run does not start over any more. Any thread may tell.
  void settle();
  /// Restores this process's terminal, and shows what is left of what they have written; nothing that is held
  /// back where all of it `is_said_again`.
  void finish(bool is_said_again = false);

  /// Whether the tests were given a key.
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
  void show(const std::string& bytes);
  void show_rest();

  const TerminalStreams streams_;
  TerminalModes& modes_;
  Console& console_;
  const Actions actions_;
  Pty pty_;
  std::optional<SignalPipe> signals_;  ///< While the tests have the terminal.
  OutputHold hold_;
  std::string keys_;  ///< Typed, and not yet taken by the tests' terminal.
  bool has_keyboard_ = true;
  bool has_output_ = true;
  bool is_said_again_ = false;
  std::atomic<bool> typed_ = false;
  std::thread thread_;
};

}  // namespace stest
