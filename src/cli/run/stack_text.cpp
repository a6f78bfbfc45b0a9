#include "cli/run/stack_text.hpp"

#include <algorithm>
#include <vector>

namespace stest {
namespace {

bool is_frame(std::string_view line) { return line.starts_with("  File "); }

bool is_frame_of_pytest(std::string_view line) {
  return is_frame(line) && (line.find("/_pytest/") != line.npos || line.find("/pluggy/") != line.npos);
}

/// The lines of one thread: its name, then its frames, the innermost first.
using Thread = std::vector<std::string_view>;

std::vector<Thread> split(std::string_view stack) {
  std::vector<Thread> threads;
  for (std::size_t begin = 0; begin < stack.size();) {
    const auto end = std::min(stack.find('\n', begin), stack.size());
    const auto line = stack.substr(begin, end - begin);
    begin = end + 1;
    if (line.empty()) continue;
    if (!is_frame(line) && (threads.empty() || is_frame(threads.back().back()))) threads.emplace_back();
    if (threads.empty()) threads.emplace_back();
    threads.back().push_back(line);
  }
  return threads;
}

std::string text_of(const Thread& thread) {
  std::string text;
  for (std::size_t i = 0; i < thread.size(); ++i) {
    // If pytest is the innermost frame, pytest itself waits, and its frames are shown.
    if (i > 1 && is_frame_of_pytest(thread[i]) && !is_frame_of_pytest(thread[i - 1])) {
      return text + "    … " + std::to_string(thread.size() - i) + " frames of pytest\n";
    }
    text.append("  ").append(thread[i]).append("\n");
  }
  return text;
}

}  // namespace

std::string stack_text(std::string_view stack) {
  std::string text;
  for (const auto& thread : split(stack)) text += text_of(thread);
  return text;
}

}  // namespace stest
