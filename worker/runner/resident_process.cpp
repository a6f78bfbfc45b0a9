#include "worker/runner/resident_process.hpp"

#include <unistd.h>

#include "worker/runner/resident_runs.hpp"
#include "worker/runner/run_place.hpp"
#include "worker/runner/stack_request.hpp"

namespace stest {

void ResidentProcess::run(const protocol::RunTest& request, std::vector<Fd> fds) {
  waiting_.push_back({request, std::move(fds)});
  if (!running_) serve_next();
}

void ResidentProcess::serve_next() {
  while (!running_ && !waiting_.empty()) {
    const Status started = start(waiting_.front().request.memory_limit);
    const Waiting next = std::move(waiting_.front());
    waiting_.pop_front();
    if (!started) {
      finish(could_not_run(next.request.id, started.error().message));
      continue;
    }
    running_ = next.request.id;
    recorder_->reset();
    send_(protocol::Started{next.request.id, process_->pid()});
    process_->send(next.request, next.fds);
  }
}

Status ResidentProcess::start(std::uint64_t memory_limit) {
  if (process_) return {};
  auto recorder = FlightRecorder::create();
  if (!recorder) return tl::unexpected(recorder.error());
  auto process = SnapshotProcess::fork_for_run([&](LineChannel& channel) {
    leave_();
    serve_runs(channel, std::move(*recorder), memory_limit, preloader_.environment_changes());
  });
  if (!process) return tl::unexpected(process.error());
  recorder_ = std::move(*recorder);
  process_.emplace(std::move(*process));
  session_ = ::getsid(process_->pid());
  return {};
}

bool ResidentProcess::signal(std::uint64_t id, int number) {
  for (auto waiting = waiting_.begin(); waiting != waiting_.end(); ++waiting) {
    if (waiting->request.id != id) continue;
    waiting_.erase(waiting);  // This closes its descriptors.
    finish(could_not_run(id, "the run was cancelled while it waited"));
    return true;
  }
  if (running_ != id) return false;
  signal_run(process_->pid(), number);
  return true;
}

bool ResidentProcess::request_stack(std::uint64_t id) const {
  if (running_ != id) return false;
  stest::request_stack(process_->pid());
  return true;
}

void ResidentProcess::attend() {
  if (!process_) return;
  // Asked before `receive`, so that no message from before the end is lost.
  const bool has_ended = process_->has_ended();
  for (const auto& message : process_->receive()) {
    if (const auto* said = std::get_if<protocol::Done>(&message)) {
      auto done = *said;
      done.left = end_run_(process_->pid(), session_);
      finish(std::move(done));
    }
  }
  if (has_ended) {
    auto left = end_run_(process_->pid(), session_);
    const int status = process_->collect();
    process_.reset();
    if (running_) {
      auto done = end_of_run(*running_, *recorder_, status);
      done.left = std::move(left);
      finish(std::move(done));
    }
  }
  serve_next();
}

void ResidentProcess::finish(protocol::Done done) {
  if (running_ == done.id) running_.reset();
  send_(done);
}

void ResidentProcess::close_in_child() {
  if (process_) process_->close_in_child();
  waiting_.clear();
}

}  // namespace stest
