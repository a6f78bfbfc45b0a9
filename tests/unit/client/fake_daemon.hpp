#pragma once

#include <httplib.h>

#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "stest/messages.hpp"

namespace stest::unit {

inline std::string read_text(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

inline void write_text(const std::filesystem::path& file, const std::string& text) {
  std::ofstream(file, std::ios::binary) << text;
}

/// A folder of its own for one test, removed at the end.
class TemporaryProject {
 public:
  TemporaryProject() {
    std::string path = "/tmp/stest-unit-XXXXXX";
    root_ = ::mkdtemp(path.data());
  }
  TemporaryProject(const TemporaryProject&) = delete;
  TemporaryProject& operator=(const TemporaryProject&) = delete;
  ~TemporaryProject() {
    std::error_code ignored;
    std::filesystem::remove_all(root_, ignored);
  }
  const std::filesystem::path& root() const { return root_; }

 private:
  std::filesystem::path root_;
};

/// The daemon's HTTP API without a worker: what a run does is named by pytest's first argument.
///
///   hello     some output on both streams, a notice, exit code 3
///   wait      runs until it is cancelled with "terminate" or "kill"; then exit code 2, and a message
///             that lists the cancels
///   flood     writes output until nobody listens, then creates the file "gone" in the root
///   vanish    the process ends in the middle of the run
///   cut       the answer ends before "done"
///   refuse    HTTP 503 with an error
///   nonsense  a line that is no event
class FakeDaemon {
 public:
  FakeDaemon(std::filesystem::path root, const std::string& socket) : root_(std::move(root)) {
    add_routes();
    server_.set_address_family(AF_UNIX);
    server_.new_task_queue = [] { return new httplib::ThreadPool(8); };
    if (!server_.bind_to_port(socket, 80)) throw std::runtime_error("cannot listen at " + socket);
  }
  FakeDaemon(const FakeDaemon&) = delete;
  FakeDaemon& operator=(const FakeDaemon&) = delete;
  ~FakeDaemon() {
    server_.stop();
    if (thread_.joinable()) thread_.join();
  }

  /// To be called when everything below is set.
  void start() {
    thread_ = std::thread([this] { server_.listen_after_bind(); });
    while (!server_.is_running()) std::this_thread::yield();  // stop() before would be lost.
  }

  /// Called with "now" or "idle" on POST /v1/stop.
  std::function<void(const std::string& when)> on_stop = [](const std::string&) {};
  /// Whether a request to run ends the process before it is answered.
  bool ends_on_run = false;
  /// What GET /v1/status says about runs.
  std::function<nlohmann::json()> runs = [] { return nlohmann::json::array(); };

 private:
  using Sink = httplib::DataSink;

  static bool send(Sink& sink, const Event& event) {
    const auto line = to_json(event).dump() + "\n";
    return sink.write(line.data(), line.size());
  }

  static nlohmann::json error_json(const std::string& message) {
    return to_json(Error{ErrorCode::daemon_unavailable, message, "wait"});
  }

  void add_routes() {
    server_.Get("/v1/status", [this](const auto&, auto& response) {
      response.set_content(nlohmann::json{{"state", "idle"}, {"runs", runs()}}.dump(), "application/json");
    });
    server_.Post("/v1/stop", [this](const auto& request, auto& response) {
      response.set_content(R"({"stopping":true})", "application/json");
      on_stop(nlohmann::json::parse(request.body)["when"]);
    });
    server_.Post(R"(/v1/test/run/(\d+)/cancel)",
                 [this](const auto& request, auto& response) { cancel(request, response); });
    server_.Post("/v1/test/run/stream", [this](const auto& request, auto& response) {
      run(*run_request_from_json(nlohmann::json::parse(request.body)), response);
    });
  }

  void cancel(const httplib::Request& request, httplib::Response& response) {
    if (request.matches[1] != "7") {
      response.status = 404;
      response.set_content(to_json(Error{ErrorCode::not_found, "no such run", ""}).dump(),
                           "application/json");
      return;
    }
    const std::lock_guard lock(mutex_);
    cancels_ += (cancels_.empty() ? "" : " ") + nlohmann::json::parse(request.body)["how"].get<std::string>();
    write_text(root_ / "cancels", cancels_);
    cancelled_.notify_all();
    response.set_content(R"({"id":7})", "application/json");
  }

  void run(const RunRequest& request, httplib::Response& response) {
    const auto kind = request.args.empty() ? std::string("hello") : request.args[0];
    if (ends_on_run) ::_exit(9);
    write_text(root_ / "request.json", to_json(request).dump());
    if (kind == "refuse") {
      response.status = 503;
      response.set_content(error_json("about to stop").dump(), "application/json");
      return;
    }
    response.set_chunked_content_provider("application/x-ndjson", [this, kind](std::size_t, Sink& sink) {
      if (!send(sink, event::Started{7, 1})) return false;
      return play(kind, sink);
    });
  }

  bool play(const std::string& kind, Sink& sink) {
    if (kind == "wait") return wait(sink);
    if (kind == "flood") return flood(sink);
    if (kind == "vanish") ::_exit(9);
    if (kind == "nonsense") sink.write("{}\n", 3);
    if (kind == "cut" || kind == "nonsense") return sink.done(), true;
    send(sink, event::Output{Stream::out, std::string("hello \xff\n")});
    send(sink, event::Output{Stream::err, "oops\n"});
    send(sink, event::Notice{"started the worker"});
    send(sink, event::Done{3, Outcome::failed, "", "", 0.5});
    return sink.done(), true;
  }

  bool wait(Sink& sink) {
    // A client that shows this has been told the run's id before, and can cancel it.
    send(sink, event::Output{Stream::out, "waiting\n"});
    write_text(root_ / "waiting", "");
    std::unique_lock lock(mutex_);
    cancelled_.wait(lock, [this] { return has_strong_cancel(); });
    send(sink, event::Done{2, Outcome::cancelled, "cancelled: " + cancels_, "", 1});
    return sink.done(), true;
  }

  bool has_strong_cancel() const {
    return cancels_.find("terminate") != cancels_.npos || cancels_.find("kill") != cancels_.npos;
  }

  bool flood(Sink& sink) {
    while (sink.is_writable() && send(sink, event::Output{Stream::out, std::string(4096, 'x') + "\n"})) {
    }
    write_text(root_ / "gone", "");
    return false;
  }

  std::filesystem::path root_;
  httplib::Server server_;
  std::mutex mutex_;
  std::condition_variable cancelled_;
  std::string cancels_;
  std::thread thread_;
};

}  // namespace stest::unit
