#include "daemon/log_tail.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <system_error>

namespace stest {

namespace {

constexpr std::uintmax_t tail_bytes = 2000;

}  // namespace

std::uintmax_t log_size(const std::filesystem::path& file) {
  std::error_code error;
  const auto size = std::filesystem::file_size(file, error);
  return error ? 0 : size;
}

std::string log_tail(const std::filesystem::path& file, std::uintmax_t offset) {
  const auto size = log_size(file);
  if (offset > size) offset = 0;  // The log was rotated meanwhile.
  const auto begin = std::max(offset, size > tail_bytes ? size - tail_bytes : 0);
  std::ifstream in(file, std::ios::binary);
  in.seekg(static_cast<std::streamoff>(begin));
  std::string text(std::istreambuf_iterator<char>(in), {});
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return begin > offset ? text.substr(std::min(text.find('\n') + 1, text.size())) : text;
}

}  // namespace stest
