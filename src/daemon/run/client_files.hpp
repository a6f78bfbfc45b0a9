#pragma once

#include <ctime>

#include "common/os/fd.hpp"
#include "stest/messages.hpp"

namespace stest {

/// Opens the client's stdin for the runner. It is the same file, so only the tests consume what they read.
/// Never waits. Errors: the path cannot be opened here, or is another file.
Result<Fd> open_client_input(const InputFile& input);

/// The terminal that a client has made for its run, held open during the run. What the tests write there goes
/// to the client directly. The daemon only checks whether the terminal is used.
class ClientTerminal {
 public:
  /// Errors: the path cannot be opened here, is another file, or is not a terminal.
  static Result<ClientTerminal> open(const OpenFile& file);

  int fd() const { return fd_.get(); }

  /// Whether something was written or read since the last call (the kernel shows this within 8 s), or a
  /// program reads single keys now.
  bool is_in_use();
  /// Whether a program reads single keys now, as at a prompt.
  bool reads_single_keys() const;

  /// Writes `start_over_mark`: from here on the output of the run comes again.
  void mark_start_over() const;

 private:
  explicit ClientTerminal(Fd fd) : fd_(std::move(fd)) {}

  Fd fd_;
  timespec written_{};
  timespec read_{};
};

}  // namespace stest
