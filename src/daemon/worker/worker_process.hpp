#pragma once

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "common/json/line_channel.hpp"
#include "common/os/worker_host.hpp"
#include "daemon/children.hpp"
#include "daemon/worker/mailbox.hpp"
#include "stest/protocol.hpp"

namespace stest {

/// How to start a worker.
struct WorkerCommand {
  WorkerHost host;
  std::filesystem::path python;    ///< The environment's interpreter.
  std::filesystem::path root;      ///< The project's root, whose code is never preloaded.
  std::filesystem::path log_file;  ///< For the worker's stdout and stderr; empty: our stderr.
  Environment env;
  std::string cwd;
  std::vector<std::string> ignore;  ///< Patterns of project modules that are never unloaded.
  std::string target_path;          ///< Folder of the package under development; empty: the worker finds it.
  std::string target;               ///< Its name; empty: the worker finds it.
  std::vector<int> affinity = {};   ///< As in `SpawnOptions`.
  std::optional<Limit> stack = {};
  std::filesystem::path package = {};  ///< See `WorkerProgram`.
};

/// One worker. Owns the process, its channel and two threads: one reads the channel, the other waits for the
/// process. After its end all its descendants are killed, except processes that runs have left behind.
class WorkerProcess {
 public:
  /// Both are called by the reading thread, which must not destroy the object.
  struct Callbacks {
    std::function<void(const protocol::FromWorker&)> message;  ///< Takes messages that are not about a run.
    std::function<void(const ExitStatus&)> ended;              ///< The last call.
  };

  /// Errors: `worker_failed`, with the executable's path.
  static Result<std::unique_ptr<WorkerProcess>> spawn(const WorkerCommand& command, Children& children);

  WorkerProcess(const WorkerProcess&) = delete;
  WorkerProcess& operator=(const WorkerProcess&) = delete;
  /// Kills the worker if it still lives.
  ~WorkerProcess();

  /// Begins to read. May be called only once.
  void listen(Callbacks callbacks);

  int pid() const { return pid_; }

  /// Errors: the worker has ended, or does not read.
  Status send(const protocol::ToWorker& message, const std::vector<int>& fds = {});

  /// The mailbox for messages about run `id` from now on. After the worker's end it contains the death.
  Result<std::shared_ptr<Mailbox>> open_mailbox(std::uint64_t id);
  void close_mailbox(std::uint64_t id);

  /// Asks the worker to end, kills it after `grace`, and returns when it has ended with its descendants.
  void stop(std::chrono::milliseconds grace);

  /// Stops the worker and all processes of its session that try out imports, or lets them go on if this was
  /// called as often with false.
  void suspend(bool on);
  bool is_suspended() const;
  /// Lets them go on, however often they were stopped: a run waits for this worker.
  void resume();

  void kill();
  /// Kills a worker that does not answer. `why` follows "it"; the first one counts.
  void give_up(std::string why);
  /// Why it was given up; empty if it was not.
  std::string why_given_up() const;

 private:
  WorkerProcess(int pid, Fd channel, Children& children);

  void read_all();
  bool dispatch(const std::string& line);
  /// Passes a message to the mailbox of its run; false if it is not about a run.
  bool deliver(const protocol::FromWorker& message);
  void await_exit();
  bool wait_for_exit(std::chrono::milliseconds limit);
  void announce_end();

  const int pid_;
  LineChannel channel_;
  Children& children_;
  Callbacks callbacks_;

  mutable std::mutex mutex_;
  std::string why_given_up_;
  std::condition_variable changed_;
  std::map<std::uint64_t, std::shared_ptr<Mailbox>> mailboxes_;
  std::optional<ExitStatus> exit_;  ///< Set when the process was reaped and its descendants were killed.
  bool ended_ = false;              ///< Set when its end was announced.
  int suspensions_ = 0;

  std::thread reader_;
  std::thread waiter_;
};

}  // namespace stest
