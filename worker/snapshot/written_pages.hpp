#pragma once

#include <cstddef>
#include <memory>

namespace stest {

/// The pages of memory that a run has written to, in memory that its process shares with those forked for the
/// next ones. A fork has its parent's pages until it writes to one; then the kernel makes a copy while
/// somebody waits. It is the same pages each time: a fork that waits for its run can have the copies before.
class WrittenPages {
 public:
  /// An empty set; nullptr without memory for it.
  static std::shared_ptr<WrittenPages> create();

  WrittenPages(const WrittenPages&) = delete;
  WrittenPages& operator=(const WrittenPages&) = delete;
  ~WrittenPages();

  /// Has the set be what this process has for itself alone (`/proc/self/pagemap`), unless the one it had
  /// was good enough. For one that is about to end: it takes some milliseconds. Nothing where the kernel
  /// does not tell.
  void record();

  /// Lets this process have for itself what the set holds and its own memory still reaches to (Linux 5.14 and
  /// later; elsewhere nothing happens). What is written there stays.
  void copy_ahead();

 private:
  struct Table;
  explicit WrittenPages(Table& table) : table_(table) {}

  Table& table_;
  std::size_t faults_before_ = 0;
};

}  // namespace stest
