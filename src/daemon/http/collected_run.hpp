#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "daemon/http/bounded_text.hpp"
#include "stest/messages.hpp"

namespace stest {

/// Gathers the events of one run into the single answer of `POST /v1/test/run`. Of the output it keeps the
/// beginning and the end of each stream.
class CollectedRun {
 public:
  explicit CollectedRun(std::uint64_t id) : id_(id) {}

  /// Always true: it listens to the end.
  bool take(const Event& event);

  nlohmann::json to_json() const;

 private:
  void add(const event::Output& output);
  void add(const event::Test& test) { tests_.push_back(test); }
  void add(const event::Stuck& stuck) { stuck_.push_back(stuck); }
  void add(const event::Notice& notice) { notices_.push_back(notice.text); }
  void add(const event::Done& done) { done_ = done; }
  template <class Other>
  void add(const Other&) {}  // Progress, which is of no use afterwards.

  std::uint64_t id_;
  BoundedText out_;
  BoundedText err_;
  std::vector<event::Test> tests_;
  std::vector<std::string> notices_;
  std::vector<event::Stuck> stuck_;
  event::Done done_;
};

}  // namespace stest
