#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/json/line_channel.hpp"
#include "stest/protocol.hpp"
#include "worker/runner/flight_recorder.hpp"
#include "worker/snapshot/forked.hpp"
#include "worker/snapshot/own_descriptors.hpp"
#include "worker/snapshot/stand_ins.hpp"
#include "worker/snapshot/written_pages.hpp"

namespace stest {

/// The state of this process while it is ahead of its request. It has begun a run, with stand-ins for the
/// standard streams, and goes on until all tests are collected. At points worth keeping it stays behind as a
/// snapshot, and a fork goes on. A snapshot waits for the request, which another fork serves from there, or
/// for a message to let a fork go on again. It ends as soon as something that it has looked at (see
/// `file_reads`) has changed.
class Snapshot {
 public:
  /// `channel` leads to the zygote. `stand_ins` take the place of the request's streams. The zygote keeps
  /// `inotify` open too, because the last process that closes it has to wait for about 10 ms.
  /// `likes_cuda_since_ns`: see `prime_in_this_process`.
  Snapshot(LineChannel& channel, Fd inotify, StandIns stand_ins, const protocol::RunTest& request,
           std::optional<std::uint64_t> likes_cuda_since_ns);

  /// The stand-ins for stdin, stdout and stderr.
  const std::vector<Fd>& stand_ins() const { return stand_ins_.streams(); }

  /// Whether CUDA may be initialised ahead of the request; `file_reads` must have stopped.
  bool may_initialise_cuda() const;

  /// Ends this process, which must not go on, and tells the zygote why.
  [[noreturn]] void refuse(const std::string& reason);

  /// Whether `file` has changed since the worker started.
  static bool is_edited(const std::string& file);
  /// Whether this is a point worth keeping: `file`, which is about to be executed, was edited, or enough time
  /// has passed since the last point.
  bool is_due(const std::string& file) const;

  /// Why two forks of this process could notice each other; empty if they could not.
  std::string why_not_forkable() const { return descriptors_->shared(); }

  /// The arguments of the expected request; once a request has come, its arguments.
  const std::vector<std::string>& args() const { return args_; }

  /// Whether the run can go on from here with these arguments instead of the expected ones.
  using Accepts = std::function<bool(const std::vector<std::string>& args)>;
  /// Stays here as a snapshot; returns only in forks of it. Nothing: the fork goes on ahead of the request.
  /// Otherwise the request has come, and its event pipe and stack pipe are returned. `is_pinned`: the
  /// snapshot is kept longer than others.
  std::optional<std::vector<Fd>> stay(FlightRecorder& recorder, bool is_pinned, const Accepts& accepts = {});

  /// Tells the zygote that the tests are collected, or the `reason` to wait earlier, and waits for the
  /// request. Meanwhile it copies the pages in `written`, if that is not null. `file_reads` must have
  /// stopped. When the request has come, its streams replace the stand-ins and get their output. Returns its
  /// event pipe and stack pipe. If this process is outdated, it ends, and `recorder` says so.
  std::vector<Fd> await(FlightRecorder& recorder, WrittenPages* written, const std::string& reason);

 private:
  using Clock = std::chrono::steady_clock;

  enum class Fork { failed, parent, child };
  struct Point {
    bool is_pinned = false;
    bool any_args = false;
  };
  /// Forks a process that goes on. The child returns when it shares nothing with this one and the zygote
  /// knows it.
  Fork go_on(FlightRecorder& recorder, const Point& point);
  std::optional<std::vector<Fd>> serve(FlightRecorder& recorder, const protocol::RunTest& request,
                                       std::vector<Fd> fds);
  void become_fork(FlightRecorder& recorder, Link link);
  void take_channel(Fd own);
  /// Waits for a message of the zygote. `watches`: ends this process if a file changes meanwhile.
  void await_line(FlightRecorder& recorder, bool watches);
  std::vector<Fd> take(const protocol::RunTest& request, std::vector<Fd> fds);
  void send(const protocol::FromWorker& message, const std::vector<int>& fds = {});

  LineChannel* channel_;
  std::unique_ptr<LineChannel> own_channel_;
  Fd inotify_;
  StandIns stand_ins_;
  std::optional<OwnDescriptors> descriptors_;
  Leads leads_;
  std::vector<std::string> args_;
  std::optional<std::uint64_t> likes_cuda_since_ns_;
  timer_t deadline_{};
  Clock::time_point last_point_ = Clock::now();
  std::chrono::milliseconds position_{};  ///< The time that the run has taken to the last point.
};

}  // namespace stest
