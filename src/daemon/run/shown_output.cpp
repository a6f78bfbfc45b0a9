#include "daemon/run/shown_output.hpp"

#include <algorithm>
#include <utility>

namespace stest {

std::string_view ShownOutput::news(std::string_view bytes) {
  if (may_start_over_) said_.append(bytes.substr(0, limit - said_.size()));
  const auto common = std::min(bytes.size(), expected_.size());
  const auto differs = std::mismatch(bytes.begin(), bytes.begin() + common, expected_.begin()).first;
  const auto same = static_cast<std::size_t>(differs - bytes.begin());
  expected_.erase(0, same < common ? expected_.size() : same);
  return bytes.substr(same);
}

void ShownOutput::start_over() { expected_ = std::exchange(said_, {}); }

void ShownOutput::settle() {
  may_start_over_ = false;
  said_.clear();
}

}  // namespace stest
