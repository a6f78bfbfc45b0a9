#pragma once

#include <array>
#include <memory>
#include <optional>

#include "common/os/fd.hpp"
#include "daemon/run/answer_watch.hpp"
#include "daemon/run/client_files.hpp"
#include "daemon/run/event_lines.hpp"
#include "daemon/run/oom_watch.hpp"
#include "daemon/run/run.hpp"
#include "daemon/run/run_result.hpp"
#include "daemon/run/shown_output.hpp"
#include "daemon/run/silence_watch.hpp"
#include "daemon/worker/worker_process.hpp"

namespace stest {

/// Drives one run on a ready worker: hands it over, turns what comes through its pipes into events,
/// and returns when its process has ended. A client that does not read holds the tests back, as a
/// terminal would; one that has gone away ends them.
///
/// A process may give the run up, before the first test runs as a rule. As long as it may, all that it says
/// is held back; if it does, that is dropped, and the run starts anew in a fresh process, or the client runs
/// it cold. What had to be shown nevertheless is not shown a second time. What goes to the client's terminal
/// the client itself holds back, for a moment only: a person may be asked something.
class RunPump {
 public:
  RunPump(WorkerProcess& worker, Run& run, const Listener& listener);
  ~RunPump();

  RunReport run();

 private:
  using Clock = std::chrono::steady_clock;
  struct RunnerEnds;

  Status launch();
  Status open_streams(RunnerEnds& ends);
  void open_client_files(RunnerEnds& ends);
  std::vector<int> fds_of(const RunnerEnds& ends) const;
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
  void take(Event event, std::size_t size);
  void release();
  void drop_held_output();
  void forget_held();
  void show(const Event& event);
  void conclude();
  bool tell_last_failed(const std::string& culprit);
  void test_started();
  void drain();

  void emit(const Event& event);
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
  std::optional<ClientTerminal> terminal_;
  Fd out_;  ///< Nothing where the terminal takes it.
  Fd err_;  ///< The same, and where it goes with stdout.
  Fd events_;
  EventLines lines_;
  SilenceWatch silence_;
  AnswerWatch answers_;  ///< Of the worker.
  std::optional<OomWatch> oom_;
  int runner_ = 0;                             ///< The tests' process.
  bool has_begun_ = false;                     ///< Something was heard of the tests' process.
  std::optional<Clock::time_point> vanished_;  ///< When the client was found gone.
  std::optional<Clock::time_point> hung_;      ///< When it had been silent for too long.
  std::optional<Clock::time_point> killed_;    ///< When a cancel by SIGKILL was seen.
  Clock::time_point checked_;                  ///< When the client was last asked for.
  RunReport report_;

  std::vector<Event> held_;  ///< What a process said that may still start over.
  std::size_t held_bytes_ = 0;
  std::optional<Clock::time_point> test_since_;  ///< When the first test began.
  bool holds_back_ = true;
  std::array<ShownOutput, 2> shown_;  ///< By stream.
  int starts_ = 0;
};

}  // namespace stest
