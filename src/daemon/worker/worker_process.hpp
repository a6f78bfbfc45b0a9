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
#include "daemon/children.hpp"
#include "daemon/worker/mailbox.hpp"
#include "stest/protocol.hpp"

namespace stest {

/// How to start a worker.
struct WorkerCommand {
  std::filesystem::path executable;
  std::filesystem::path python;    ///< The environment's interpreter, whose libpython is embedded.
  std::filesystem::path root;      ///< The project's, whose own code is never preloaded.
  std::filesystem::path log_file;  ///< Takes the worker's stdout and stderr; empty: ours.
  Environment env;
  std::string cwd;
  std::vector<std::string> ignore;  ///< Patterns of project modules that are never unloaded.
  std::string target_path;          ///< Folder of the package under development; empty: to be found.
  std::string target;               ///< Its name; empty: to be found.
  std::vector<int> affinity = {};   ///< As in `SpawnOptions`.
  std::optional<Limit> stack = {};
};

/// One worker: owns the process, its channel and two threads, one that reads the channel and one
/// that waits for the process. When it is gone, so are all its descendants, but for what runs have left
/// behind on purpose.
class WorkerProcess {
 public:
  /// Both are called in the reading thread, which must not destroy the object.
  struct Callbacks {
    std::function<void(const protocol::FromWorker&)> message;  ///< What is not about a run.
    std::function<void(const ExitStatus&)> ended;              ///< The last call of all.
  };

  /// Errors: `worker_failed`, with the executable's path.
  static Result<std::unique_ptr<WorkerProcess>> spawn(const WorkerCommand& command, Children& children);

  WorkerProcess(const WorkerProcess&) = delete;
  WorkerProcess& operator=(const WorkerProcess&) = delete;
  /// Kills the worker if it still lives.
  ~WorkerProcess();

  /// Begins to read; to be called once.
  void listen(Callbacks callbacks);

  int pid() const { return pid_; }

  /// Errors: the worker is gone.
  Status send(const protocol::ToWorker& message, const std::vector<int>& fds = {});

  /// Where messages about run `id` go from now on. After the worker's end it holds the death.
  Result<std::shared_ptr<Mailbox>> open_mailbox(std::uint64_t id);
  void close_mailbox(std::uint64_t id);

  /// Asks the worker to end, kills it after `grace`, and returns when all of it is gone.
  void stop(std::chrono::milliseconds grace);

  void kill();
  /// The same for a worker that does not do what it should; `why` follows "it", and the first one counts.
  void give_up(std::string why);
  /// Why it was given up; empty if it was not.
  std::string why_given_up() const;

 private:
  WorkerProcess(int pid, Fd channel, Children& children);

  void read_all();
  bool dispatch(const std::string& line);
  /// To the run that it is about; false if it is about none.
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
  std::optional<ExitStatus> exit_;  ///< Set when the process was collected and its descendants killed.
  bool ended_ = false;              ///< Set when everyone was told.

  std::thread reader_;
  std::thread waiter_;
};

}  // namespace stest
