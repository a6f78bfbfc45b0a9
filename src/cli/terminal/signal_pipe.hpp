#pragma once

#include <signal.h>

#include <initializer_list>
#include <map>

#include "common/os/fd.hpp"

namespace stest {

/// Signals as bytes of a pipe, from construction to destruction: the handlers only write, and whoever
/// reads `fd` does the work. A signal that is ignored (`nohup`, a background job) stays ignored. A signal
/// belongs to at most one object at a time.
class SignalPipe {
 public:
  /// Out of descriptors, `fd` is -1, and signals keep their usual effect.
  explicit SignalPipe(std::initializer_list<int> signals);
  ~SignalPipe();
  SignalPipe(const SignalPipe&) = delete;
  SignalPipe& operator=(const SignalPipe&) = delete;

  int fd() const { return pipe_.read.get(); }

  /// Waits for the next byte: the number of a signal, or what was posted.
  int next() const;

  /// Puts a byte of the owner's own among the signals; any thread may.
  void post(char byte) const;

  /// Gives a signal its previous effect, and takes it again.
  void release(int signal);
  void take(int signal);

 private:
  Pipe pipe_;
  std::map<int, struct sigaction> previous_;
};

}  // namespace stest
