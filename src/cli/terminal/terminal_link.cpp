#include "cli/terminal/terminal_link.hpp"

#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

namespace stest {
namespace {

constexpr std::size_t piece_size = 64u << 10;
/// More than a terminal can hold. Leftovers of the tests may write without end.
constexpr std::size_t most_left = 1u << 20;
/// The most keys that wait for tests that do not read; further ones are dropped, as a terminal does.
constexpr std::size_t most_keys = 64u << 10;
/// How often a background job checks whether it is in the foreground.
constexpr int foreground_interval_ms = 200;
// Posted into the pipe of the signals.
constexpr char end_of_link = 0;
constexpr char run_has_settled = 127;

bool are_same_terminal(int one, int other) {
  struct stat a {
  }, b{};
  return ::isatty(one) == 1 && ::isatty(other) == 1 && ::fstat(one, &a) == 0 && ::fstat(other, &b) == 0 &&
         a.st_rdev == b.st_rdev;
}

bool is_key(const termios& modes, int which, char key) {
  const auto wanted = modes.c_cc[which];
  return wanted != _POSIX_VDISABLE && static_cast<cc_t>(key) == wanted;
}

}  // namespace

TerminalStreams TerminalStreams::of_this_process() {
  TerminalStreams streams;
  if (::isatty(1) == 1) {
    streams.fd = 1;
  } else if (::isatty(2) == 1) {
    streams.fd = 2;
  } else {
    return streams;
  }
  streams.out = are_same_terminal(streams.fd, 1);
  streams.err = are_same_terminal(streams.fd, 2);
  // If it is not this session's terminal, the foreground job is not known.
  streams.in = streams.out && are_same_terminal(streams.fd, 0) && ::tcgetpgrp(0) >= 0;
  return streams;
}

Result<std::unique_ptr<TerminalLink>> TerminalLink::open(TerminalStreams streams, TerminalModes& modes,
                                                         Console& console, Actions actions) {
  auto pty = Pty::open(streams.fd);
  if (!pty) return tl::unexpected(pty.error());
  return std::unique_ptr<TerminalLink>(
      new TerminalLink(streams, modes, console, std::move(actions), std::move(*pty)));
}

TerminalLink::TerminalLink(TerminalStreams streams, TerminalModes& modes, Console& console, Actions actions,
                           Pty pty)
    : streams_(streams),
      modes_(modes),
      console_(console),
      actions_(std::move(actions)),
      pty_(std::move(pty)) {}

void TerminalLink::begin() {
  if (thread_.joinable()) return;
  signals_.emplace({SIGWINCH, SIGTSTP, SIGCONT});
  if (signals_->fd() < 0) return;
  pty_.copy_size(streams_.fd);
  take_keyboard();
  thread_ = std::thread([this] { serve(); });
}

void TerminalLink::settle() {
  if (thread_.joinable()) signals_->post(run_has_settled);
}

void TerminalLink::finish(bool is_said_again) {
  if (!thread_.joinable()) return;
  is_said_again_ = is_said_again;
  signals_->post(end_of_link);
  thread_.join();
  signals_.reset();
  modes_.restore();
  console_.set_raw(false);
}

void TerminalLink::serve() {
  while (step()) {
  }
  show_rest();
}

bool TerminalLink::step() {
  const bool listens = streams_.in && has_keyboard_;
  const bool reads = listens && modes_.is_raw();
  const auto wanted = static_cast<short>(POLLIN | (keys_.empty() ? 0 : POLLOUT));
  std::array<pollfd, 3> polled{
      {{signals_->fd(), POLLIN, 0}, {has_output_ ? pty_.fd() : -1, wanted, 0}, {reads ? 0 : -1, POLLIN, 0}}};
  const int ready = ::poll(polled.data(), polled.size(), patience(listens && !reads));
  if (ready == 0) show(hold_.take({}, OutputHold::Clock::now()));
  if (polled[0].revents && !take_signal()) return false;
  if (listens && !modes_.is_raw()) take_keyboard();
  if (polled[2].revents && modes_.is_raw()) read_keys();
  if (polled[1].revents & POLLOUT) write_keys();
  if (polled[1].revents & ~POLLOUT) show_output();
  return true;
}

int TerminalLink::patience(bool waits_for_foreground) const {
  const auto held = hold_.remaining(OutputHold::Clock::now());
  const auto left = held ? static_cast<int>(held->count()) : -1;
  if (!waits_for_foreground) return left;
  return held ? std::min(left, foreground_interval_ms) : foreground_interval_ms;
}

bool TerminalLink::take_signal() {
  const int signal = signals_->next();
  if (signal == end_of_link) return false;
  if (signal == run_has_settled) show(hold_.release());
  if (signal == SIGTSTP) suspend();
  if (signal == SIGCONT) take_keyboard();
  pty_.copy_size(streams_.fd);
  return true;
}

void TerminalLink::take_keyboard() {
  if (streams_.in) console_.set_raw(modes_.make_raw());
}

void TerminalLink::read_keys() {
  const auto read = read_some(0, piece_size);
  if (read && !read->end) return type(read->data);
  has_keyboard_ = false;  // The terminal is gone; SIGHUP follows.
}

void TerminalLink::type(std::string_view keys) {
  const auto modes = pty_.modes();
  const bool makes_signals = (modes.c_lflag & ISIG) != 0;
  typed_ = true;
  show(hold_.release());
  for (const char key : keys) {
    if (makes_signals && is_key(modes, VSUSP, key)) {
      suspend();
      continue;
    }
    if (makes_signals && is_key(modes, VINTR, key)) {
      interrupt(modes);
    } else {
      actions_.ctrl_c(false, true);
    }
    if (keys_.size() < most_keys) keys_ += key;
  }
  write_keys();
}

// A program that reads single keys (no ICANON) has a prompt, where Ctrl-C may be typed any number of times.
void TerminalLink::interrupt(const termios& modes) {
  if ((modes.c_lflag & NOFLSH) == 0) keys_.clear();
  actions_.ctrl_c((modes.c_lflag & ICANON) != 0, pty_.has_foreground());
}

// Stops the job as the terminal would: first all other processes of the group, then this one, by a signal to
// this thread. With a signal to the process, another thread could take it, and this one could not tell when
// it stops.
void TerminalLink::suspend() {
  actions_.suspend(true);
  modes_.restore();
  console_.set_raw(false);
  ::signal(SIGTSTP, SIG_IGN);
  ::kill(0, SIGTSTP);
  signals_->release(SIGTSTP);
  ::raise(SIGTSTP);  // Returns when the job continues; at once if no shell controls it.
  signals_->take(SIGTSTP);
  take_keyboard();
  actions_.suspend(false);
}

void TerminalLink::write_keys() {
  const auto written = ::write(pty_.fd(), keys_.data(), keys_.size());
  if (written > 0) keys_.erase(0, static_cast<std::size_t>(written));
}

void TerminalLink::show_output() {
  const auto read = read_some(pty_.fd(), piece_size);
  if (read && read->would_block) return;
  has_output_ = read && !read->end;
  if (has_output_) show(hold_.take(read->data, OutputHold::Clock::now()));
}

void TerminalLink::show(std::string_view bytes) {
  // If this fails, the terminal is gone, and SIGHUP follows.
  has_output_ = console_.write_terminal(fold_.take(bytes)) && has_output_;
}

// The tests have ended, so all their output is in the terminal. A read also passes on what the kernel has
// queued.
void TerminalLink::show_rest() {
  for (std::size_t left = 0; has_output_ && left < most_left;) {
    const auto read = read_some(pty_.fd(), piece_size);
    if (!read || read->data.empty()) break;
    left += read->data.size();
    show(hold_.take(read->data, OutputHold::Clock::now()));
  }
  if (is_said_again_) hold_.drop();
  show(hold_.release());
  (void)console_.write_terminal(fold_.end());
}

}  // namespace stest
