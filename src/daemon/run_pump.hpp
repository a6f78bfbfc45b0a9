#pragma once

#include <memory>
#include <optional>

#include "common/fd.hpp"
#include "daemon/event_lines.hpp"
#include "daemon/run.hpp"
#include "daemon/run_result.hpp"
#include "daemon/stuck_watch.hpp"
#include "daemon/worker_process.hpp"

namespace stest {

/// Drives one run on a ready worker: hands it over, turns what comes through its pipes into events,
/// and returns when its process has ended. A client that does not read holds the tests back, as a
/// terminal would; one that has gone away ends them.
class RunPump {
 public:
  RunPump(WorkerProcess& worker, Run& run, const Listener& listener);
  ~RunPump();

  RunReport run();

 private:
  using Clock = std::chrono::steady_clock;

  Status launch();
  void step();
  int poll_timeout() const;
  bool over() const { return report_.done || report_.worker_death; }

  void read_mail();
  void read_output(Fd& pipe, Stream stream);
  void read_events();
  void take_events(std::string_view bytes);
  void drain();

  void emit(const Event& event);
  void check_client();
  void client_vanished();
  void check_silence();
  void escalate();

  WorkerProcess& worker_;
  Run& run_;
  const Listener& listener_;

  std::shared_ptr<Mailbox> mailbox_;
  Fd out_;
  Fd err_;
  Fd events_;
  EventLines lines_;
  StuckWatch silence_;
  std::optional<Clock::time_point> vanished_;  ///< When the client was found gone.
  std::optional<Clock::time_point> killed_;    ///< When a cancel by SIGKILL was seen.
  Clock::time_point checked_;                  ///< When the client was last asked for.
  RunReport report_;
};

}  // namespace stest
