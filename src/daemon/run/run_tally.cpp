#include "daemon/run/run_tally.hpp"

#include <algorithm>
#include <iterator>

namespace stest {

void RunTally::take(const event::Test& test) {
  if (test.when == "collect") return;
  if (test.when == "start") started_.insert(test.nodeid);
  if (test.outcome == "failed") {
    failed_[test.nodeid] = true;
    const auto known = std::find(failures_.begin(), failures_.end(), test.nodeid);
    if (known == failures_.end()) failures_.push_back(test.nodeid);
  } else if (test.outcome == "skipped" || (test.outcome == "passed" && test.when == "call")) {
    failed_[test.nodeid] = false;
  }
}

event::Unfinished RunTally::unfinished(const std::string& nodeid) const {
  event::Unfinished unfinished;
  unfinished.nodeid = nodeid;
  std::copy_if(failures_.begin(), failures_.end(), std::back_inserter(unfinished.failed),
               [this](const std::string& test) { return failed_.at(test); });
  if (collected_) unfinished.not_run = std::max(0, *collected_ - static_cast<int>(started_.size()));
  return unfinished;
}

}  // namespace stest
