#pragma once

#include <memory>
#include <optional>

#include "common/os/fd.hpp"
#include "daemon/run/answer_watch.hpp"
#include "daemon/run/event_lines.hpp"
#include "daemon/run/held_events.hpp"
#include "daemon/run/oom_watch.hpp"
#include "daemon/run/run.hpp"
#include "daemon/run/run_result.hpp"
#include "daemon/run/run_streams.hpp"
#include "daemon/run/silence_watch.hpp"
#include "daemon/worker/worker_process.hpp"

namespace stest {

/// Drives one run on a ready worker: sends the request, converts the data in its pipes to events, and returns
/// when its process has ended. A client that does not read slows the tests down, as a terminal would. If the
/// client goes, the tests are ended.
///
/// A run may start over or need cold, normally before its first test. Until it is settled, its output is held
/// back. If it starts over, this output is dropped, and the run begins again in a clean process. Output that
/// had to be shown already is not shown twice. The client itself holds back what is written to its terminal,
/// but only for a moment, because it may be a prompt.
class RunPump {
 public:
  RunPump(WorkerProcess& worker, Run& run, const Listener& listener);
  ~RunPump();

  RunReport run();

 private:
  using Clock = std::chrono::steady_clock;

  Status launch();
  void follow();
  bool may_start_over() const;
  void start_over();
  void step();
  int poll_timeout() const;
  bool over() const { return report_.done || report_.worker_death; }

  void read_mail();
  void read_output(Fd& pipe, Stream stream);
  void read_events();
  void take_events(std::string_view bytes);
  void conclude();
  bool tell_last_failed(const std::string& culprit);

  bool emit(const Event& event);
  void check_client();
  void client_vanished();
  void check_worker();
  void look_for_oom();
  void check_silence();
  void escalate();

  WorkerProcess& worker_;
  Run& run_;
  const Listener& listener_;

  std::shared_ptr<Mailbox> mailbox_;
  HeldEvents held_;
  RunStreams streams_;
  EventLines lines_;
  SilenceWatch silence_;
  AnswerWatch answers_;  ///< For the worker.
  std::optional<OomWatch> oom_;
  int runner_ = 0;                             ///< The tests' process.
  bool has_begun_ = false;                     ///< The tests' process has started, or has written something.
  std::optional<Clock::time_point> vanished_;  ///< When the client was found to have gone.
  std::optional<Clock::time_point> hung_;      ///< When the run was found to be hung.
  std::optional<Clock::time_point> killed_;    ///< When a cancel by SIGKILL was found.
  Clock::time_point checked_;                  ///< When the client was last checked.
  RunReport report_;
  int starts_ = 0;
};

}  // namespace stest
