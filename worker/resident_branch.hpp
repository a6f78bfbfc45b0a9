#pragma once

#include <deque>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "branch.hpp"
#include "preload.hpp"
#include "runner.hpp"

namespace stest {

/// The process that runs the tests in `RunMode::resident`, one run after the other. Forked from the
/// zygote for the first run, and anew whenever it has ended.
class ResidentBranch {
 public:
  using Send = std::function<void(const protocol::FromWorker&)>;

  /// `send` takes what the daemon is to hear; `leave`, called in the child, is to `abandon` this too.
  ResidentBranch(const Preloader& preloader, Send send, std::function<void()> leave)
      : preloader_(preloader), send_(std::move(send)), leave_(std::move(leave)) {}

  void run(const protocol::RunTest& request, std::vector<Fd> fds);
  /// Whether the run is here; the signal then goes to its process and that process's children.
  bool signal(std::uint64_t id, int number);

  int fd() const { return branch_ ? branch_->fd() : -1; }
  /// Takes in what it said, and its end.
  void attend();
  /// Ends the process, whatever it does; the next run gets another one.
  void end() { branch_.reset(); }
  void abandon();

 private:
  struct Waiting {
    protocol::RunTest request;
    std::vector<Fd> fds;
  };
  void serve_next();
  Status start(std::uint64_t memory_limit);
  void finish(const protocol::Done& done);

  const Preloader& preloader_;
  Send send_;
  std::function<void()> leave_;
  std::optional<Branch> branch_;
  std::optional<FlightRecorder> recorder_;
  std::optional<std::uint64_t> running_;
  std::deque<Waiting> waiting_;
};

}  // namespace stest
