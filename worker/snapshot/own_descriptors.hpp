#pragma once

#include <sys/types.h>

#include <set>
#include <string>
#include <utility>
#include <vector>

namespace stest {

/// The numbers of all open descriptors.
std::vector<int> open_descriptors();
/// Makes `fd` a duplicate of `file`; its close-on-exec flag stays. Returns whether that succeeded.
bool put_behind(int fd, int file);
/// Writes the whole contents of `from` to `to`, whatever the position of `from`. Returns whether that
/// succeeded.
bool copy_contents(int from, int to);

/// What two forks of one process would share: open files with their positions, and shared memory. Each fork
/// opens such files again, under the same numbers.
class OwnDescriptors {
 public:
  /// Forks may share everything that is open or mapped now.
  OwnDescriptors();
  /// Forks may share this descriptor too.
  void may_share(int fd);

  /// Says in words what forks would share and must not; empty if there is nothing. Temporary files without a
  /// name do not count, nor do files that are open for reading: each fork can open these again.
  std::string shared() const;

  /// Must be called in a fork: opens these files again. Ends the process if that fails.
  static void separate();

 private:
  using File = std::pair<dev_t, ino_t>;
  std::set<File> common_;
  std::size_t mappings_;
};

}  // namespace stest
