#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "stest/messages.hpp"

namespace stest {

/// Gathers the events of one run into the single answer of `POST /v1/test/run`.
class CollectedRun {
 public:
  explicit CollectedRun(std::uint64_t id) : id_(id) {}

  /// Always true: it listens to the end.
  bool take(const Event& event);

  nlohmann::json to_json() const;

 private:
  void add(const event::Output& output);
  void add(const event::Test& test);
  void add(const event::Stuck& stuck);
  void add(const event::Receipt& receipt) { receipts_.push_back(receipt.text); }
  void add(const event::Done& done) { done_ = done; }
  template <class Other>
  void add(const Other&) {}  // Progress, which is of no use afterwards.

  std::uint64_t id_;
  std::string out_;
  std::string err_;
  nlohmann::json tests_ = nlohmann::json::array();
  nlohmann::json receipts_ = nlohmann::json::array();
  nlohmann::json stuck_ = nlohmann::json::array();
  event::Done done_;
};

}  // namespace stest
