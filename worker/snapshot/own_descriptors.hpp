#pragma once

#include <sys/types.h>

#include <set>
#include <string>
#include <utility>
#include <vector>

namespace stest {

/// The numbers of all that are open.
std::vector<int> open_descriptors();
/// Puts `file` behind the number `fd`, which stays inherited or not as it was. Whether that could be done.
bool put_behind(int fd, int file);
/// Writes all that `from` holds, whatever its position, to `to`. Whether that could be done.
bool copy_contents(int from, int to);

/// What two forks of one process would share: the open files behind its descriptors, with their positions,
/// and memory that is mapped for several. A fork that goes its own way gets its own, under the same numbers.
class OwnDescriptors {
 public:
  /// What is open or mapped now may be shared.
  OwnDescriptors();
  /// This one may be, too.
  void may_share(int fd);

  /// What of the rest cannot be made anew for a fork, for a person; empty if there is nothing. Temporary
  /// files without a name can, as can files that are open for reading.
  std::string shared() const;

  /// In a fork: opens anew what may not be shared.
  static void separate();

 private:
  using File = std::pair<dev_t, ino_t>;
  std::set<File> common_;
  std::size_t mappings_;
};

}  // namespace stest
