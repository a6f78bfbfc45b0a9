#pragma once

#include <signal.h>

#include <initializer_list>
#include <map>

#include "common/os/fd.hpp"

namespace stest {

/// Turns signals into bytes in a pipe, from construction to destruction. The handlers only write; the owner
/// reads `fd`. An ignored signal (`nohup`, a background job) stays ignored. A signal may belong to only one
/// object at a time.
class SignalPipe {
 public:
  /// If no pipe can be made, `fd` is -1, and signals keep their usual effect.
  explicit SignalPipe(std::initializer_list<int> signals);
  ~SignalPipe();
  SignalPipe(const SignalPipe&) = delete;
  SignalPipe& operator=(const SignalPipe&) = delete;

  int fd() const { return pipe_.read.get(); }

  /// Waits for the next byte: the number of a signal, or what was posted.
  int next() const;

  /// Adds a byte to the pipe. May be called by any thread.
  void post(char byte) const;

  /// Restores the previous effect of a signal; `take` catches it again.
  void release(int signal);
  void take(int signal);

 private:
  Pipe pipe_;
  std::map<int, struct sigaction> previous_;
};

}  // namespace stest
