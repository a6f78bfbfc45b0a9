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

/// This process, if it is ahead of its request: it has begun a run, with stand-ins for the standard streams,
/// and goes on until all tests are collected. At points worth keeping it stays behind as a snapshot, and a
/// fork goes on. A snapshot waits: for the request, which another fork of it serves from there, or to
/// let a fork go on once more. It ends by itself as soon as something that it has looked at (see
/// `file_reads`) is not as it was.
class Snapshot {
 public:
  /// `channel` leads to the zygote; `stand_ins`: for the request's streams. The zygote keeps `inotify`
  /// open too: the last to close one that watches is kept waiting, for 10 ms or so.
  /// `likes_cuda_since_ns`: see `prime_in_this_process`.
  Snapshot(LineChannel& channel, Fd inotify, StandIns stand_ins, const protocol::RunTest& request,
           std::optional<std::uint64_t> likes_cuda_since_ns);

  /// What to use for stdin, stdout and stderr.
  const std::vector<Fd>& stand_ins() const { return stand_ins_.streams(); }

  /// Whether CUDA may be initialised ahead of the request; `file_reads` must have stopped.
  bool may_initialise_cuda() const;

  /// Ends this process, which must not go on; the zygote is told why.
  [[noreturn]] void refuse(const std::string& reason);

  /// Whether it has changed since the worker started.
  static bool is_edited(const std::string& file);
  /// Whether this is a point worth keeping: `file`, which is about to be executed, has been edited, or the
  /// last such point is some time back.
  bool is_due(const std::string& file) const;

  /// Why a fork of this process would not be like it; empty if it would.
  std::string why_not_forkable() const { return descriptors_->shared(); }

  /// The arguments of the request: of the one that it is ahead of, and once that has come, those that came.
  const std::vector<std::string>& args() const { return args_; }

  /// Whether the run can go on from here with other arguments.
  using Accepts = std::function<bool(const std::vector<std::string>& args)>;
  /// Stays here, as a snapshot; returns in its forks only. Nothing: the fork goes on ahead. Else the request
  /// has come: what `take` returns. `is_pinned`: the point is kept before others.
  std::optional<std::vector<Fd>> stay(FlightRecorder& recorder, bool is_pinned, const Accepts& accepts = {});

  /// Tells the zygote that the tests are collected, or why it can go no further, and blocks until the request
  /// comes. Then the streams are
  /// its own, and have got what was written to the stand-ins; `file_reads` must have stopped. Returns what
  /// else travelled with it: the event pipe and the stack pipe. Ends this process if it is no longer current,
  /// with `recorder` saying so. Meanwhile it has copies of what is `written`, where that is known.
  std::vector<Fd> await(FlightRecorder& recorder, WrittenPages* written, const std::string& reason);

 private:
  using Clock = std::chrono::steady_clock;

  enum class Fork { failed, parent, child };
  struct Point {
    bool is_pinned = false;
    bool any_args = false;
  };
  /// The child has what it must not share, and the zygote knows it.
  Fork go_on(FlightRecorder& recorder, const Point& point);
  std::optional<std::vector<Fd>> serve(FlightRecorder& recorder, const protocol::RunTest& request,
                                       std::vector<Fd> fds);
  void become_fork(FlightRecorder& recorder, Link link);
  void take_channel(Fd own);
  /// Blocks until the zygote says something; `watches`: and ends this process where a file has changed.
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
  std::chrono::milliseconds position_{};  ///< What the way to the last point has taken.
};

}  // namespace stest
