#include "daemon/worker/mailbox.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <utility>

namespace stest {

Result<std::shared_ptr<Mailbox>> Mailbox::create() {
  Fd event(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!event) return errno_error("eventfd");
  return std::shared_ptr<Mailbox>(new Mailbox(std::move(event)));
}

void Mailbox::put(protocol::FromWorker message) {
  std::lock_guard lock(mutex_);
  content_.messages.push_back(std::move(message));
  ring();
}

void Mailbox::put_death(const ExitStatus& status) {
  std::lock_guard lock(mutex_);
  content_.death = status;
  ring();
}

Mailbox::Content Mailbox::take() {
  std::lock_guard lock(mutex_);
  eventfd_t count = 0;
  eventfd_read(event_.get(), &count);
  Content taken = std::move(content_);
  content_ = {};
  return taken;
}

void Mailbox::ring() { eventfd_write(event_.get(), 1); }

}  // namespace stest
