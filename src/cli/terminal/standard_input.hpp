#pragma once

#include <optional>
#include <thread>

#include "common/os/fd.hpp"
#include "stest/messages.hpp"

namespace stest {

/// The stdin of this process for the tests, which take from it what they read and no more, as if they had
/// inherited it. What can only be inherited, not opened again (a socket), is copied into a pipe by a
/// thread of this object, from `begin` on: a run that never begins leaves it to whoever runs the tests then.
class StandardInput {
 public:
  StandardInput();
  ~StandardInput();
  StandardInput(const StandardInput&) = delete;
  StandardInput& operator=(const StandardInput&) = delete;

  /// Valid as long as this object lives. Nothing where stdin is /dev/null, closed, or the terminal of
  /// another job.
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
