#include "daemon/run/silence_watch.hpp"

#include <algorithm>
#include <utility>

namespace stest {

namespace {

/// The size of an answer; faulthandler writes at most 100 frames of 100 threads.
constexpr std::size_t stack_limit = 1u << 20;

double seconds(SilenceWatch::Clock::duration duration) {
  return std::chrono::duration<double>(duration).count();
}

}  // namespace

SilenceWatch::SilenceWatch(const Config& config, Clock::time_point now)
    : stuck_(config.stuck_after, now), limit_(config.hang_timeout), last_(now) {}

Result<Fd> SilenceWatch::connect() {
  auto pipe = make_pipe();
  if (!pipe) return tl::unexpected(pipe.error());
  pipe_ = std::move(pipe->read);
  if (auto done = set_nonblocking(pipe_.get(), true); !done) return tl::unexpected(done.error());
  return std::move(pipe->write);
}

void SilenceWatch::read() {
  const auto part = read_some(pipe_.get(), 65536);
  if (!part || part->end) return pipe_.reset();
  if (stack_.size() < stack_limit) stack_ += part->data;
}

void SilenceWatch::heard(Clock::time_point now) {
  last_ = now;
  stuck_.heard(now);
  if (!wanted_) asked_.reset();
}

bool SilenceWatch::must_ask(Clock::time_point now) {
  if (asked_ || (!wanted_ && !stuck_.due(now) && !is_hung(now))) return false;
  asked_ = now;
  stack_.clear();
  return true;
}

std::optional<event::Stuck> SilenceWatch::report(const RunningTests& tests, Clock::time_point now,
                                                 bool is_complete) {
  const auto end = stack_.find('\0');
  is_complete = is_complete && (end != stack_.npos || !pipe_);
  if (!asked_ || (!is_complete && now - *asked_ < patience)) return std::nullopt;
  asked_.reset();
  wanted_ = false;
  return event::Stuck{seconds(now - last_), tests.nodeid(), tests.seconds(), stack_.substr(0, end)};
}

bool SilenceWatch::is_hung(Clock::time_point now) const {
  return limit_ > Clock::duration::zero() && now - last_ >= limit_;
}

std::optional<SilenceWatch::Clock::duration> SilenceWatch::remaining(Clock::time_point now) const {
  if (asked_) return *asked_ + patience - now;
  auto left = stuck_.remaining(now);
  if (limit_ > Clock::duration::zero()) left = std::min(left.value_or(limit_), last_ + limit_ - now);
  return left;
}

}  // namespace stest
