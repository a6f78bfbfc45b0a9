#include "cli/run/crash_fold.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace stest {
namespace {

constexpr std::string_view first_words = "Fatal Python error: ";

/// Only such a line may be a frame, so no other one is held back.
bool is_indented(std::string_view line) { return line.starts_with(' '); }

/// Whether a line that is not indented belongs to what `faulthandler` writes.
bool belongs_to_crash(std::string_view line) {
  constexpr std::array<std::string_view, 4> words{first_words, "(most recent call first)",
                                                  "Extension modules: ", "Python runtime state: "};
  return line == "\n" || line == "\r\n" ||
         std::any_of(words.begin(), words.end(), [&](auto word) { return line.find(word) != line.npos; });
}

}  // namespace

std::string CrashFold::take(std::string_view bytes) {
  std::string shown;
  while (!bytes.empty()) {
    bytes.remove_prefix(is_in_stack_ ? take_of_stack(bytes, shown) : look_for_crash(bytes, shown));
  }
  return shown;
}

std::size_t CrashFold::look_for_crash(std::string_view bytes, std::string& shown) {
  const auto text = tail_ + std::string(bytes);
  const auto found = text.find(first_words);
  is_in_stack_ = found != text.npos;
  const auto taken = is_in_stack_ ? found + first_words.size() - tail_.size() : bytes.size();
  line_ = is_in_stack_ ? first_words : std::string_view();
  tail_ = is_in_stack_ ? "" : text.substr(text.size() - std::min(text.size(), first_words.size() - 1));
  shown += bytes.substr(0, taken);
  return taken;
}

std::size_t CrashFold::take_of_stack(std::string_view bytes, std::string& shown) {
  const auto newline = bytes.find('\n');
  const auto part = bytes.substr(0, newline == bytes.npos ? newline : newline + 1);
  if (line_.empty() && !is_indented(part)) {
    shown += with_line_ends(fold_.end());
    fold_ = {};
  }
  line_ += part;
  if (!is_indented(line_)) shown += part;
  if (newline != bytes.npos) shown += end_line();
  return part.size();
}

/// Returns what to show of a line that was held back.
std::string CrashFold::end_line() {
  const auto line = std::exchange(line_, "");
  if (!is_indented(line)) {
    is_in_stack_ = belongs_to_crash(line);
    return {};
  }
  line_end_ = line.ends_with("\r\n") ? "\r\n" : "\n";
  return with_line_ends(fold_.take(std::string_view(line).substr(0, line.size() - line_end_.size())));
}

std::string CrashFold::end() {
  auto shown = with_line_ends(fold_.end());
  if (is_indented(line_)) shown += line_;
  *this = {};
  return shown;
}

std::string CrashFold::with_line_ends(const std::string& text) const {
  std::string converted;
  for (const char letter : text) converted += letter == '\n' ? line_end_ : std::string(1, letter);
  return converted;
}

}  // namespace stest
