#include "cli/run/stack_text.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace stest {
namespace {

constexpr int most_shown_of_pytest = 3;

bool has_any(std::string_view line, const auto& parts) {
  return std::any_of(parts.begin(), parts.end(),
                     [&](std::string_view part) { return line.find(part) != line.npos; });
}

bool is_of_pytest(std::string_view line) {
  constexpr std::array<std::string_view, 5> parts{"/_pytest/", "/pluggy/", "/pytest/__main__.py\"",
                                                  "/sprintest/run/", "/sprintest/process/"};
  return has_any(line, parts);
}

bool is_of_imports(std::string_view line) {
  constexpr std::array<std::string_view, 2> parts{"\"<frozen importlib", "/importlib/__init__.py\""};
  return has_any(line, parts);
}

std::string with_newline(std::string_view line) { return std::string(line) + "\n"; }

}  // namespace

std::string StackFold::take(std::string_view line) {
  if (!line.starts_with("  File ")) {
    auto text = end() + with_newline(line);
    *this = {};
    return text;
  }
  const bool is_pytest = is_of_pytest(line);
  if (!is_pytest && !is_of_imports(line)) {
    is_below_other_code_ = true;
    return end() + with_newline(line);
  }
  if (!is_below_other_code_ && shown_ < most_shown_of_pytest) {
    ++shown_;
    return with_newline(line);
  }
  ++folded_;
  has_pytest_ = has_pytest_ || is_pytest;
  return {};
}

std::string StackFold::end() {
  const auto count = std::exchange(folded_, 0);
  const std::string whose = std::exchange(has_pytest_, false) ? "pytest" : "the import system";
  if (count == 0) return {};
  return "  … " + std::to_string(count) + (count == 1 ? " frame of " : " frames of ") + whose + "\n";
}

std::string stack_text(std::string_view stack) {
  StackFold fold;
  std::string folded;
  for (std::size_t begin = 0; begin < stack.size();) {
    const auto end = std::min(stack.find('\n', begin), stack.size());
    if (end > begin) folded += fold.take(stack.substr(begin, end - begin));
    begin = end + 1;
  }
  folded += fold.end();
  std::string text;
  for (const char letter : folded)
    text.append(text.empty() || text.back() == '\n' ? "  " : "").append(1, letter);
  return text;
}

}  // namespace stest
