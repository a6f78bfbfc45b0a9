#include "common/config/log_tail.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

namespace stest {
namespace {

// Lines further from the end than this are not found.
constexpr std::uint64_t tail_limit = 4u << 20;
constexpr std::size_t chunk = 64u << 10;

std::string read_at(int fd, std::uint64_t offset) {
  std::string text;
  std::string block(chunk, '\0');
  for (ssize_t size; (size = ::pread(fd, block.data(), block.size(), static_cast<off_t>(offset))) > 0;) {
    text.append(block, 0, static_cast<std::size_t>(size));
    offset += static_cast<std::uint64_t>(size);
  }
  return text;
}

std::size_t start_of_last_lines(const std::string& text, int count) {
  std::size_t start = text.size();
  for (; count > 0 && start > 0; --count) {
    const auto newline = start >= 2 ? text.rfind('\n', start - 2) : std::string::npos;
    start = newline == std::string::npos ? 0 : newline + 1;
  }
  return start;
}

Fd open_for_reading(const std::filesystem::path& file) {
  return Fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
}

}  // namespace

std::uint64_t file_size_or_zero(const std::filesystem::path& file) {
  struct stat info {};
  return ::stat(file.c_str(), &info) == 0 ? static_cast<std::uint64_t>(info.st_size) : 0;
}

std::string last_lines(const std::filesystem::path& file, int count, std::uint64_t from) {
  const auto fd = open_for_reading(file);
  if (!fd) return {};
  const auto size = file_size_or_zero(file);
  if (from > size) from = 0;
  if (size > tail_limit) from = std::max(from, size - tail_limit);
  const auto text = read_at(fd.get(), from);
  return text.substr(start_of_last_lines(text, count));
}

LogFollower::LogFollower(std::filesystem::path file) : file_(std::move(file)) {
  open_from(file_size_or_zero(file_));
}

std::string LogFollower::read_new() {
  auto text = read_available();  // The rest of the old file comes before the new one.
  if (was_replaced() && open_from(0)) text += read_available();
  return text;
}

bool LogFollower::was_replaced() const {
  struct stat named {
  }, opened{};
  if (::stat(file_.c_str(), &named) != 0) return false;
  if (!fd_ || ::fstat(fd_.get(), &opened) != 0) return true;
  const bool same = named.st_ino == opened.st_ino && named.st_dev == opened.st_dev;
  return !same || static_cast<std::uint64_t>(named.st_size) < offset_;
}

bool LogFollower::open_from(std::uint64_t offset) {
  fd_ = open_for_reading(file_);
  offset_ = offset;
  return static_cast<bool>(fd_);
}

std::string LogFollower::read_available() {
  if (!fd_) return {};
  auto text = read_at(fd_.get(), offset_);
  offset_ += text.size();
  return text;
}

}  // namespace stest
