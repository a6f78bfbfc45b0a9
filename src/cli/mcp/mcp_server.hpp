#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

namespace stest {

/// A call of a tool that goes on. Used by the call's thread, and by the one that cancels it.
class McpCall {
 public:
  /// `notify` sends a notification about the progress; null if the client wants none.
  explicit McpCall(std::function<void(int, const std::string&)> notify) : notify_(std::move(notify)) {}

  void progress(int done, const std::string& message) const {
    if (notify_) notify_(done, message);
  }
  bool is_cancelled() const { return cancelled_; }
  /// Ends the process that the call has started, if there is one.
  void cancel();
  /// The process that the call has started, until it is reaped; 0: none.
  void set_process(int pid);

 private:
  const std::function<void(int, const std::string&)> notify_;
  std::mutex mutex_;
  std::atomic<bool> cancelled_ = false;
  int pid_ = 0;
};

/// Speaks the Model Context Protocol with one client: a JSON object per line in both directions. Each call of
/// a tool has a thread, so that others, and cancellations, are read meanwhile.
class McpServer {
 public:
  explicit McpServer(std::function<bool(const std::string&)> write) : write_(std::move(write)) {}
  /// Cancels all calls and waits for them.
  ~McpServer();
  McpServer(const McpServer&) = delete;
  McpServer& operator=(const McpServer&) = delete;

  void take_line(const std::string& line);

 private:
  struct Running {
    std::shared_ptr<McpCall> call;
    std::thread thread;
    std::shared_ptr<std::atomic<bool>> over;
  };
  void take(const nlohmann::json& message);
  nlohmann::json answer(const std::string& method, const nlohmann::json& params) const;
  void begin_call(const nlohmann::json& id, const nlohmann::json& params);
  void cancel(const nlohmann::json& params);
  void reap();
  void send(const nlohmann::json& message);

  const std::function<bool(const std::string&)> write_;
  std::mutex writing_;
  std::map<std::string, Running> calls_;  ///< By the request's id. Used by the reader's thread only.
};

/// `stest mcp`: serves stdin and stdout until stdin ends.
int serve_mcp();

}  // namespace stest
