#include "common/os/close_fds.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/os/process.hpp"

namespace stest {
namespace {

bool is_open_descriptor(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }

/// Runs `body` in a child, whose descriptors may be closed without harm, and returns its exit code.
template <class Body>
int in_child(Body body) {
  const int pid = ::fork();
  if (pid == 0) ::_exit(body() ? 0 : 1);
  return wait_for(pid)->code.value_or(-1);
}

void open_up_to(int last) {
  for (int fd = 3; fd <= last; ++fd) ::dup2(1, fd);
}

TEST(CloseOtherFds, KeepsTheStandardOnesAndTheNamed) {
  EXPECT_EQ(0, in_child([] {
              open_up_to(400);
              close_other_fds({300, 7, 7, 8});
              bool right = true;
              for (int fd = 0; fd <= 400; ++fd) {
                const bool kept = fd <= 2 || fd == 7 || fd == 8 || fd == 300;
                right = right && is_open_descriptor(fd) == kept;
              }
              return right;
            }));
}

TEST(CloseFdsFrom, IgnoresWhatIsKeptBelowTheFirst) {
  EXPECT_EQ(0, in_child([] {
              open_up_to(20);
              const int keep[] = {0, 1, 2, 15};
              close_fds_from(10, keep, 4);
              return is_open_descriptor(9) && !is_open_descriptor(10) && !is_open_descriptor(14) &&
                     is_open_descriptor(15) && !is_open_descriptor(16);
            }));
}

TEST(CloseFdsByListing, DoesTheSameOnOldKernels) {
  EXPECT_EQ(0, in_child([] {
              open_up_to(400);
              const int keep[] = {7, 300};
              close_fds_by_listing(3, keep, 2);
              bool right = true;
              for (int fd = 0; fd <= 400; ++fd) {
                right = right && is_open_descriptor(fd) == (fd <= 2 || fd == 7 || fd == 300);
              }
              return right;
            }));
}

}  // namespace
}  // namespace stest
