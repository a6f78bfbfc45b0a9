#pragma once

#include <filesystem>
#include <functional>
#include <mutex>
#include <string>

#include "common/status_file.hpp"

namespace stest {

/// Keeps `status.json` up to date: writes it when something in it has changed, and removes it at the end. A
/// file of another daemon, which serves a new folder of the same path, is left alone.
class StatusBoard {
 public:
  /// `status` has the values that never change. Nothing is written yet.
  StatusBoard(std::filesystem::path file, DaemonStatus status);

  /// Writes the file if the state or the last result has changed. `state` is called under the board's lock,
  /// so that the last writer has the last state. A failure is only logged, because clients can still find the
  /// socket.
  void refresh(const std::function<std::string()>& state);
  /// Takes effect with the next `refresh`.
  void set_last_result(std::string json_text);
  std::string last_result() const;

  /// The result of the last write.
  Status last_write() const;

  /// The values that never change.
  const DaemonStatus& constants() const { return constants_; }

  /// Removes the file if it is still of this daemon; nothing is written after that.
  void retire();

 private:
  bool is_taken_over() const;

  const std::filesystem::path file_;
  const DaemonStatus constants_;
  mutable std::mutex mutex_;
  DaemonStatus written_;
  std::string last_result_ = "null";
  Status last_write_;
  bool is_announced_ = false;  ///< The file has been written. One from before was of a daemon that has ended.
  bool current_ = false;       ///< Whether the file contains `written_`.
  bool retired_ = false;
};

}  // namespace stest
