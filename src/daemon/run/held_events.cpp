#include "daemon/run/held_events.hpp"

#include <string>
#include <utility>
#include <variant>

namespace stest {

namespace {

constexpr std::chrono::seconds patience{1};
constexpr std::size_t limit = 16u << 20;

}  // namespace

void HeldEvents::add(Event event, std::size_t size) {
  if (!holds_back_) return show(event);
  bytes_ += size;
  held_.push_back(std::move(event));
  if (bytes_ > limit) release();
}

void HeldEvents::test_started(Clock::time_point now) {
  if (!test_since_) test_since_ = now;
}

void HeldEvents::tick(Clock::time_point now) {
  if (test_since_ && now - *test_since_ > patience) release();
}

void HeldEvents::settle() {
  release();
  for (auto& shown : shown_) shown.settle();
}

void HeldEvents::start_over() {
  for (auto& shown : shown_) shown.start_over();
  held_.clear();
  bytes_ = 0;
  test_since_.reset();
  holds_back_ = true;
}

void HeldEvents::finish(bool is_cold) {
  if (is_cold)
    std::erase_if(held_, [](const Event& event) { return std::holds_alternative<event::Output>(event); });
  release();
}

void HeldEvents::release() {
  holds_back_ = false;
  for (const auto& event : std::exchange(held_, {})) show(event);
}

void HeldEvents::show(const Event& event) {
  const auto* output = std::get_if<event::Output>(&event);
  if (output == nullptr) return void(show_(event));
  const auto news = shown_[static_cast<std::size_t>(output->stream)].news(output->data);
  if (news.size() == output->data.size()) return void(show_(event));
  if (!news.empty()) show_(event::Output{output->stream, std::string(news)});
}

}  // namespace stest
