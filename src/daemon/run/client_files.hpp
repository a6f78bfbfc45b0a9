#pragma once

#include <ctime>

#include "common/os/fd.hpp"
#include "stest/messages.hpp"

namespace stest {

/// Opens the client's stdin for the runner, as the very file that it is: the tests take from it what they
/// read, when they read it, and nobody else anything. Never waits.
/// Errors: the path does not lead to that file here.
Result<Fd> open_client_input(const InputFile& input);

/// The terminal that a client has made for its run, held open as long as the run lasts. What the tests
/// write there goes to the client directly; the daemon only looks whether it is used.
class ClientTerminal {
 public:
  /// Errors: the path does not lead to that terminal here.
  static Result<ClientTerminal> open(const OpenFile& file);

  int fd() const { return fd_.get(); }

  /// Whether something was written or read since the last call (the kernel tells it within 8 s), or a
  /// program listens to single keys now: a person at a prompt may take their time.
  bool is_in_use();

  /// Tells the client that all of the run is said again from here on.
  void mark_start_over() const;

 private:
  explicit ClientTerminal(Fd fd) : fd_(std::move(fd)) {}

  Fd fd_;
  timespec written_{};
  timespec read_{};
};

}  // namespace stest
