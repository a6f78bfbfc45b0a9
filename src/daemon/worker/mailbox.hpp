#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "common/os/fd.hpp"
#include "common/os/process.hpp"
#include "stest/protocol.hpp"

namespace stest {

/// The worker's messages about one run. The thread that reads from the worker puts them in. The run's thread
/// polls `fd` and takes them out.
class Mailbox {
 public:
  struct Content {
    std::vector<protocol::FromWorker> messages;
    std::optional<ExitStatus> death;  ///< Set when the worker has ended; nothing follows.
  };

  static Result<std::shared_ptr<Mailbox>> create();

  void put(protocol::FromWorker message);
  void put_death(const ExitStatus& status);

  /// Everything since the last call; never blocks.
  Content take();

  /// Readable while `take` would return something new.
  int fd() const { return event_.get(); }

 private:
  explicit Mailbox(Fd event) : event_(std::move(event)) {}
  void ring();

  Fd event_;
  std::mutex mutex_;
  Content content_;
};

}  // namespace stest
