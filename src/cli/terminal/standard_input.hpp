#pragma once

#include <optional>
#include <thread>

#include "common/os/fd.hpp"
#include "stest/messages.hpp"

namespace stest {

/// The stdin of this process, for the tests. They open it again, and read from it as if they had inherited
/// it. A file that cannot be opened again (a socket) is copied into a pipe, by a thread of this object. This
/// starts only with `begin`, so a run that does not begin consumes nothing.
class StandardInput {
 public:
  StandardInput();
  ~StandardInput();
  StandardInput(const StandardInput&) = delete;
  StandardInput& operator=(const StandardInput&) = delete;

  /// Valid as long as this object lives. Nothing if stdin is /dev/null, closed, or the terminal of another
  /// job.
  const std::optional<InputFile>& file() const { return file_; }

  /// The tests may read from now on.
  void begin();

 private:
  void prepare_copy();
  void copy();

  std::optional<InputFile> file_;
  Pipe pipe_;
  Pipe stop_;
  std::thread thread_;
};

}  // namespace stest
