#include "cli/terminal/terminal_modes.hpp"

#include <signal.h>
#include <unistd.h>

#include <atomic>

namespace stest {
namespace {

// Used by the handler of signals that end the process.
std::atomic<int> raw_terminal{-1};
termios usual_modes{};

extern "C" void restore_and_die(int signal) {
  if (const int fd = raw_terminal.load(); fd >= 0) ::tcsetattr(fd, TCSANOW, &usual_modes);
  ::raise(signal);  // SA_RESETHAND has restored the default action.
}

void install_last_resort() {
  struct sigaction action {};
  action.sa_handler = restore_and_die;
  action.sa_flags = static_cast<int>(SA_RESETHAND | SA_NODEFER);
  ::sigemptyset(&action.sa_mask);
  ::sigaddset(&action.sa_mask, SIGTTOU);
  for (const int signal : {SIGQUIT, SIGILL, SIGABRT, SIGBUS, SIGFPE, SIGSEGV}) {
    struct sigaction previous {};
    ::sigaction(signal, nullptr, &previous);
    if (previous.sa_handler == SIG_DFL) ::sigaction(signal, &action, nullptr);
  }
}

/// Blocks SIGTTOU: if the terminal was given to another job at this moment, this process must not stop.
void set_modes(int fd, const termios& modes) {
  sigset_t stop{}, previous{};
  ::sigemptyset(&stop);
  ::sigaddset(&stop, SIGTTOU);
  ::pthread_sigmask(SIG_BLOCK, &stop, &previous);
  ::tcsetattr(fd, TCSANOW, &modes);
  ::pthread_sigmask(SIG_SETMASK, &previous, nullptr);
}

}  // namespace

bool is_foreground(int fd) { return ::tcgetpgrp(fd) == ::getpgrp(); }

bool TerminalModes::make_raw() {
  const std::lock_guard lock(mutex_);
  const bool may = !has_ended_ && is_foreground(fd_);
  if (may && !is_raw_ && ::tcgetattr(fd_, &saved_) != 0) return false;
  is_raw_ = may;
  raw_terminal = -1;
  if (!may) return false;
  usual_modes = saved_;
  raw_terminal = fd_;
  install_last_resort();
  auto raw = saved_;
  ::cfmakeraw(&raw);
  set_modes(fd_, raw);
  return true;
}

void TerminalModes::restore() {
  const std::lock_guard lock(mutex_);
  restore_locked();
}

void TerminalModes::end() {
  const std::lock_guard lock(mutex_);
  has_ended_ = true;
  restore_locked();
}

void TerminalModes::restore_locked() {
  if (is_raw_ && is_foreground(fd_)) set_modes(fd_, saved_);
  is_raw_ = false;
  raw_terminal = -1;
}

bool TerminalModes::is_raw() const {
  const std::lock_guard lock(mutex_);
  return is_raw_;
}

}  // namespace stest
