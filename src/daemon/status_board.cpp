#include "daemon/status_board.hpp"

#include <spdlog/spdlog.h>

#include <ctime>
#include <system_error>
#include <utility>

namespace stest {

StatusBoard::StatusBoard(std::filesystem::path file, DaemonStatus status)
    : file_(std::move(file)), constants_(std::move(status)), written_(constants_) {}

void StatusBoard::refresh(const std::function<std::string()>& state) {
  std::lock_guard lock(mutex_);
  if (retired_) return;
  auto now = state();
  if (current_ && written_.state == now && written_.last_result == last_result_) return;
  if (written_.state != now) written_.since = static_cast<std::uint64_t>(std::time(nullptr));
  written_.state = std::move(now);
  written_.last_result = last_result_;
  if (is_taken_over()) return;
  last_write_ = write_status(file_, written_);
  current_ = last_write_.has_value();
  is_announced_ = is_announced_ || current_;
  if (!current_) spdlog::error("{} cannot be written: {}", file_.string(), last_write_.error().message);
}

void StatusBoard::set_last_result(std::string json_text) {
  std::lock_guard lock(mutex_);
  last_result_ = std::move(json_text);
}

Status StatusBoard::last_write() const {
  std::lock_guard lock(mutex_);
  return last_write_;
}

std::string StatusBoard::last_result() const {
  std::lock_guard lock(mutex_);
  return last_result_;
}

void StatusBoard::retire() {
  std::lock_guard lock(mutex_);
  retired_ = true;
  if (is_taken_over()) return;
  std::error_code ignored;
  std::filesystem::remove(file_, ignored);
}

bool StatusBoard::is_taken_over() const {
  if (!is_announced_) return false;
  const auto found = read_last_status(file_);
  return found && found->process != constants_.process;
}

}  // namespace stest
