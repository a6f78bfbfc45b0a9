#include "daemon/http/bounded_text.hpp"

#include <algorithm>

namespace stest {

namespace {

/// The most bytes that a UTF-8 character has after its first.
constexpr std::size_t most_continuations = 3;

bool is_continuation(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) == 0x80; }
bool is_lead(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) == 0xC0; }

/// Removes the last character if it is not ASCII, because it may be incomplete.
std::string_view to_last_ascii(std::string_view text) {
  auto size = text.size();
  while (size > 0 && text.size() - size < most_continuations && is_continuation(text[size - 1])) --size;
  return size > 0 && is_lead(text[size - 1]) ? text.substr(0, size - 1) : text;
}

/// Removes the rest of a character that begins before `text`.
std::string_view from_first_character(std::string_view text) {
  std::size_t begin = 0;
  while (begin < std::min(text.size(), most_continuations) && is_continuation(text[begin])) ++begin;
  return text.substr(begin);
}

}  // namespace

void BoundedText::append(std::string_view bytes) {
  size_ += bytes.size();
  const auto room = std::min(limit - head_.size(), bytes.size());
  head_.append(bytes.substr(0, room));
  tail_.append(bytes.substr(room));
  if (tail_.size() > 2 * limit) tail_.erase(0, tail_.size() - limit);
}

std::string_view BoundedText::beginning() const {
  return fits() ? std::string_view(head_) : to_last_ascii(head_);
}

std::string_view BoundedText::end() const {
  if (fits()) return tail_;
  return from_first_character(std::string_view(tail_).substr(tail_.size() - std::min(tail_.size(), limit)));
}

std::string BoundedText::text() const {
  const std::string gap =
      fits() ? "" : "\n[stest: " + std::to_string(dropped()) + " bytes are left out here]\n";
  return std::string(beginning()) + gap + std::string(end());
}

}  // namespace stest
