#pragma once

#include <sys/types.h>

#include <set>
#include <string>
#include <utility>

namespace stest {

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
