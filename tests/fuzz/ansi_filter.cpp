// Any bytes, cut anywhere: the same text as in one piece, and no controls but tab and the ends of lines.

#include "cli/terminal/ansi_filter.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

namespace {

std::string filtered(std::string_view input, std::size_t piece) {
  stest::AnsiFilter filter;
  std::string text;
  for (std::size_t at = 0; at < input.size(); at += piece) text += filter.feed(input.substr(at, piece));
  return text + filter.finish();
}

bool is_stray_control(char letter) {
  const auto code = static_cast<unsigned char>(letter);
  return (code < 0x20 && letter != '\t' && letter != '\n' && letter != '\r') || code == 0x7f;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto whole = filtered(input, input.size() + 1);
  if (filtered(input, data[0] % 16 + 1) != whole || filtered(input, 1) != whole) std::abort();
  if (std::any_of(whole.begin(), whole.end(), is_stray_control)) std::abort();
  return 0;
}
