#include "daemon/worker/import_pauses.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <utility>

namespace stest {

ImportPauses::ImportPauses() : end_(eventfd(0, EFD_CLOEXEC)) {}

ImportPauses::~ImportPauses() {
  eventfd_write(end_.get(), 1);
  for (auto& pause : pauses_) pause.thread.join();
}

void ImportPauses::begin(int pid, std::function<void(bool)> suspend) {
  pauses_.remove_if([](Pause& pause) {
    if (pause.is_over) pause.thread.join();
    return pause.is_over.load();
  });
  Fd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!process) return;
  suspend(true);
  auto& pause = pauses_.emplace_back(std::move(process));
  pause.thread = std::thread([&pause, end = end_.get(), suspend = std::move(suspend)] {
    std::array<pollfd, 2> polled{{{pause.process.get(), POLLIN, 0}, {end, POLLIN, 0}}};
    ::poll(polled.data(), polled.size(), -1);
    suspend(false);
    pause.is_over = true;
  });
}

}  // namespace stest
