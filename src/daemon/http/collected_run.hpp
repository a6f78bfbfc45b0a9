#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "daemon/http/bounded_text.hpp"
#include "stest/messages.hpp"

namespace stest {

/// Collects the events of one run for the answer of `POST /v1/test/run`. Keeps the beginning and the end of
/// each output stream.
class CollectedRun {
 public:
  explicit CollectedRun(std::uint64_t id) : id_(id) {}

  /// Always returns true.
  bool take(const Event& event);

  nlohmann::json to_json() const;

 private:
  void add(const event::Output& output);
  void add(const event::Test& test) { tests_.push_back(test); }
  void add(const event::Stuck& stuck) { stuck_.push_back(stuck); }
  void add(const event::Notice& notice) { notices_.push_back(notice.text); }
  void add(const event::Done& done) { done_ = done; }
  template <class Other>
  void add(const Other&) {}  // Progress events, which are not part of the answer.

  std::uint64_t id_;
  BoundedText out_;
  BoundedText err_;
  std::vector<event::Test> tests_;
  std::vector<std::string> notices_;
  std::vector<event::Stuck> stuck_;
  event::Done done_;
};

}  // namespace stest
