#pragma once

#include <cstdio>
#include <functional>
#include <optional>
#include <utility>

#include "run_branch.hpp"

namespace stest {

/// The process that holds the values of `sprintest.warm` for `RunMode::clean`. While it loads them, and where
/// it cannot, runs are forked from the zygote.
class ValueBranch final : public RunBranch {
 public:
  using Serve = std::function<void(LineChannel&, const protocol::HoldValues&)>;

  /// `serve` is the child's life.
  ValueBranch(Send send, Serve serve)
      : RunBranch(std::move(send), "the process that holds values"), serve_(std::move(serve)) {}

  /// Replaces the process by one that holds these values; of none where there are none. A run that the
  /// daemon has begun meanwhile comes to its end first.
  void hold(protocol::HoldValues wanted) {
    wanted_ = std::move(wanted);
    if (!has_runs()) be_idle();
  }

 private:
  void take(const protocol::FromWorker& message) override {
    if (std::holds_alternative<protocol::Values>(message)) has_loaded();
    send(message);
  }
  void has_failed(int status) override {
    std::fprintf(stderr, "stest-worker: %s ended while it loaded them (status %d)\n", name(), status);
    send(protocol::Values{});
  }

  void be_idle() override {
    if (!wanted_) return;
    end();
    const auto wanted = *std::exchange(wanted_, std::nullopt);
    if (wanted.values.empty() || !fork([&](LineChannel& channel) { serve_(channel, wanted); })) {
      send(protocol::Values{});
    }
  }

  Serve serve_;
  std::optional<protocol::HoldValues> wanted_;
};

}  // namespace stest
