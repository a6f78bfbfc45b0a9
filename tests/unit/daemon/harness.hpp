#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "common/os/process.hpp"
#include "daemon/service.hpp"
#include "daemon/worker/worker_manager.hpp"
#include "unit/temporary_folder.hpp"

namespace stest {

inline constexpr std::chrono::seconds test_patience{30};

/// The notice of the first run.
inline const std::string first_notice = std::string(nothing_loaded) + "\n";

/// Waits until `condition` holds; fails the test where it does not.
inline void await(const std::function<bool()>& condition, const char* what) {
  const auto deadline = std::chrono::steady_clock::now() + test_patience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) {
      ADD_FAILURE() << "waited in vain for " << what;
      return;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

/// A client: keeps the events of a run, can go away.
class Recorder {
 public:
  Listener listener() {
    return {[this](const Event& event) { return take(event); }, [this] { return !gone_.load(); }};
  }

  void go_away() { gone_ = true; }

  /// Waits until an event of this kind has come that `matches`.
  template <class Kind>
  void await(const std::function<bool(const Kind&)>& matches = [](const Kind&) { return true; }) {
    std::unique_lock lock(mutex_);
    const bool came = came_.wait_for(lock, test_patience, [&] {
      const auto found = all_of<Kind>();
      return std::any_of(found.begin(), found.end(), matches);
    });
    EXPECT_TRUE(came) << "the awaited event did not come";
  }

  /// All that has come, in order.
  std::vector<Event> events() const {
    std::lock_guard lock(mutex_);
    return events_;
  }

  template <class Kind>
  std::vector<Kind> all() const {
    std::lock_guard lock(mutex_);
    return all_of<Kind>();
  }

  std::string output(Stream stream) const {
    std::string text;
    for (const auto& output : all<event::Output>()) {
      if (output.stream == stream) text += output.data;
    }
    return text;
  }
  std::string out() const { return output(Stream::out); }

  event::Done done() const {
    const auto found = all<event::Done>();
    if (found.empty()) ADD_FAILURE() << "the run has no end";
    return found.empty() ? event::Done{} : found.front();
  }

  std::string notice() const {
    std::string text;
    for (const auto& notice : all<event::Notice>()) text += notice.text + "\n";
    return text;
  }

 private:
  template <class Kind>
  std::vector<Kind> all_of() const {
    std::vector<Kind> found;
    for (const auto& event : events_) {
      if (const auto* kind = std::get_if<Kind>(&event)) found.push_back(*kind);
    }
    return found;
  }

  bool take(const Event& event) {
    if (gone_) return false;
    std::lock_guard lock(mutex_);
    events_.push_back(event);
    came_.notify_all();
    return true;
  }

  std::atomic<bool> gone_ = false;
  mutable std::mutex mutex_;
  std::condition_variable came_;
  std::vector<Event> events_;
};

/// A service over fake workers, in a project of its own.
class ServiceFixture : public testing::Test {
 protected:
  ServiceFixture() {
    project.write("pyproject.toml", "[tool.sprintest]\n");
    env = {{"PATH", "/usr/bin:/bin:" + current_environment()["PATH"]}};
  }

  ~ServiceFixture() override { service_.reset(); }

  void configure(const std::string& lines) { project.write("pyproject.toml", "[tool.sprintest]\n" + lines); }

  Service& service() {
    if (!service_) service_ = std::make_unique<Service>(options(), children);
    return *service_;
  }

  virtual Service::Options options();

  WorkerProgram program() const {
    return {{STEST_FAKE_WORKER},
            "/usr/bin/python3",
            project.path() / "worker.log",
            project.path() / "preload.json",
            project.path(),
            {},
            most_workers,
            memory};
  }

  RunRequest request(std::vector<std::string> script) const {
    return {std::move(script), project.path().string(), env, 022, false};
  }

  /// Runs a script of the fake worker to its end.
  event::Done run(std::vector<std::string> script, Recorder& client) {
    return run(request(std::move(script)), client);
  }
  event::Done run(std::vector<std::string> script) {
    Recorder client;
    return run(std::move(script), client);
  }
  event::Done run(RunRequest request, Recorder& client);

  std::string status_state();

  TemporaryFolder project;
  Environment env;
  Children children;
  std::size_t most_workers = 3;
  std::optional<std::uint64_t> memory = {};

 private:
  std::unique_ptr<Service> service_;
};

/// A run in a thread of its own, as the HTTP server gives it one; ends with the scope.
class BackgroundRun {
 public:
  BackgroundRun(Service& service, RunRequest request) {
    auto ticket = service.admit(std::move(request));
    if (!ticket) {
      ADD_FAILURE() << ticket.error().message;
      return;
    }
    id = (*ticket)->id();
    thread_ =
        std::thread([&service, this, admitted = *ticket] { service.run(*admitted, client.listener()); });
  }
  ~BackgroundRun() { join(); }

  void join() {
    if (thread_.joinable()) thread_.join();
  }
  event::Done done() {
    join();
    return client.done();
  }

  Recorder client;
  std::uint64_t id = 0;

 private:
  std::thread thread_;
};

}  // namespace stest
