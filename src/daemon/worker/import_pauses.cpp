#include "daemon/worker/import_pauses.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <climits>
#include <fstream>
#include <utility>

namespace stest {

namespace {

/// Often enough that a run is held up little, at no noticeable cost.
constexpr std::chrono::milliseconds interval(20);

}  // namespace

ImportPauses::ImportPauses(std::function<std::optional<int>()> count_running)
    : count_running_(std::move(count_running)), end_(eventfd(0, EFD_CLOEXEC)) {}

/// From proc_loadavg(5): "running/all threads" is the fourth field.
std::optional<int> ImportPauses::running_threads() {
  std::ifstream file("/proc/loadavg");
  double average = 0;
  int running = 0;
  if (!(file >> average >> average >> average >> running)) return std::nullopt;
  return running - 1;
}

ImportPauses::~ImportPauses() {
  eventfd_write(end_.get(), 1);
  for (auto& pause : pauses_) pause.thread.join();
}

void ImportPauses::begin(int pid, int processors, std::function<bool(bool)> suspend) {
  pauses_.remove_if([](Pause& pause) {
    if (pause.is_over) pause.thread.join();
    return pause.is_over.load();
  });
  Fd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!process) return;
  auto& pause = pauses_.emplace_back(std::move(process));
  pause.thread = std::thread([this, &pause, processors, suspend = std::move(suspend)] {
    std::array<pollfd, 2> polled{{{pause.process.get(), POLLIN, 0}, {end_.get(), POLLIN, 0}}};
    bool is_suspended = false;
    do {
      const auto running = count_running_().value_or(INT_MAX);
      const bool on = running > processors;  // If just as many run, it stays: the worker is one, or would be.
      if (running != processors && on != is_suspended) is_suspended = suspend(on);
    } while (::poll(polled.data(), polled.size(), static_cast<int>(interval.count())) == 0);
    if (is_suspended) suspend(false);
    pause.is_over = true;
  });
}

}  // namespace stest
