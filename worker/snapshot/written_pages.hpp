#pragma once

#include <cstddef>
#include <memory>

namespace stest {

/// The memory pages that the last run has written to, in memory that the processes of a line share. A fork
/// shares its parent's pages until it writes to one; then the kernel makes a copy, and the run waits. Runs
/// write to the same pages each time, so a fork that waits for its run can make the copies ahead.
class WrittenPages {
 public:
  /// An empty set; nullptr if there is no memory for it.
  static std::shared_ptr<WrittenPages> create();

  WrittenPages(const WrittenPages&) = delete;
  WrittenPages& operator=(const WrittenPages&) = delete;
  ~WrittenPages();

  /// Records the pages that only this process has (`/proc/self/pagemap`), unless the set was good enough. For
  /// a process that is about to end: it takes some milliseconds. Does nothing if the kernel does not show
  /// them.
  void record();

  /// Copies the pages of the set that are still mapped in this process (Linux 5.14 and later; before that
  /// nothing happens). Their contents stay the same.
  void copy_ahead();

 private:
  struct Table;
  explicit WrittenPages(Table& table) : table_(table) {}

  Table& table_;
  std::size_t faults_before_ = 0;
};

}  // namespace stest
