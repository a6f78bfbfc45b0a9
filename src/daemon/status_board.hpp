#pragma once

#include <filesystem>
#include <functional>
#include <mutex>
#include <string>

#include "common/status_file.hpp"

namespace stest {

/// Keeps `status.json` true: writes it when something in it changed, removes it at the end.
class StatusBoard {
 public:
  /// `status` is what never changes; nothing is written yet.
  StatusBoard(std::filesystem::path file, DaemonStatus status);

  /// Writes the file if it says something else than `state()`, which is asked under the board's lock: so
  /// the last writer has the last state. A failure is logged: clients can still find the socket.
  void refresh(const std::function<std::string()>& state);
  /// Takes effect with the next `refresh`.
  void set_last_result(std::string json_text);
  std::string last_result() const;

  /// How the last writing of the file went.
  Status last_write() const;

  /// What never changes.
  const DaemonStatus& constants() const { return constants_; }

  /// Removes the file; nothing is written after that.
  void retire();

 private:
  const std::filesystem::path file_;
  const DaemonStatus constants_;
  mutable std::mutex mutex_;
  DaemonStatus written_;
  std::string last_result_ = "null";
  Status last_write_;
  bool current_ = false;  ///< Whether the file says what `written_` says.
  bool retired_ = false;
};

}  // namespace stest
