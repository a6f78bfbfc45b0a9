#include "cli/terminal/signal_pipe.hpp"

#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>

namespace stest {
namespace {

// For the handler: by signal, the descriptor of the object's pipe plus one; 0 if there is none.
std::array<std::atomic<int>, NSIG> pipes{};
static_assert(std::atomic<int>::is_always_lock_free);

extern "C" void write_signal(int signal) {
  const int saved = errno;
  const auto byte = static_cast<char>(signal);
  const int fd = pipes[static_cast<std::size_t>(signal)].load() - 1;
  if (fd >= 0) (void)!::write(fd, &byte, 1);
  errno = saved;
}

}  // namespace

SignalPipe::SignalPipe(std::initializer_list<int> signals) {
  auto pipe = make_pipe();
  if (!pipe) return;
  pipe_ = std::move(*pipe);
  for (const int signal : signals) {
    struct sigaction previous {};
    ::sigaction(signal, nullptr, &previous);
    if (previous.sa_handler == SIG_IGN) continue;
    previous_[signal] = previous;
    take(signal);
  }
}

SignalPipe::~SignalPipe() {
  for (const auto& [signal, previous] : previous_) release(signal);
}

void SignalPipe::take(int signal) {
  if (!previous_.contains(signal)) return;
  pipes[static_cast<std::size_t>(signal)] = pipe_.write.get() + 1;
  struct sigaction action {};
  action.sa_handler = write_signal;
  action.sa_flags = SA_RESTART;
  ::sigaction(signal, &action, nullptr);
}

void SignalPipe::release(int signal) {
  const auto previous = previous_.find(signal);
  if (previous == previous_.end()) return;
  ::sigaction(signal, &previous->second, nullptr);
  pipes[static_cast<std::size_t>(signal)] = 0;
}

int SignalPipe::next() const {
  const auto read = read_some(pipe_.read.get(), 1);
  return read && !read->end ? read->data[0] : 0;
}

void SignalPipe::post(char byte) const { (void)write_all(pipe_.write.get(), std::string_view(&byte, 1)); }

}  // namespace stest
