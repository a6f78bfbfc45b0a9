#include "cli/run/output_hold.hpp"

#include <algorithm>
#include <utility>

#include "common/start_over_mark.hpp"

namespace stest {

std::string OutputHold::take(std::string_view bytes, Clock::time_point now) {
  held_ += bytes;
  if (!until_ && !held_.empty()) until_ = now + patience;
  if (const auto mark = held_.rfind(start_over_mark); mark != std::string::npos) {
    const auto begin = holds_ ? 0 : mark;
    held_.erase(begin, mark + start_over_mark.size() - begin);
  }
  if (holds_ && held_.size() < limit && (!until_ || now < until_)) return {};
  return release();
}

std::string OutputHold::release() {
  holds_ = false;
  return std::exchange(held_, {});
}

std::optional<std::chrono::milliseconds> OutputHold::remaining(Clock::time_point now) const {
  if (!holds_ || held_.empty()) return std::nullopt;
  return std::max(std::chrono::ceil<std::chrono::milliseconds>(*until_ - now), std::chrono::milliseconds(0));
}

}  // namespace stest
