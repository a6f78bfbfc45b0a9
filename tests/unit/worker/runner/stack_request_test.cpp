#include "worker/runner/stack_request.hpp"

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

#include "common/os/process.hpp"

namespace stest {
namespace {

int dump_to = -1;
void write_stack(int) { (void)!::write(dump_to, "stack", 5); }

/// A child that answers requests, once it has done `then`.
class Answering {
 public:
  explicit Answering(void (*then)(int fd) = [](int) {}) {
    Pipe stacks = *make_pipe();
    Pipe ready = *make_pipe();
    pid_ = ::fork();
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      EventPipe pipe(std::move(stacks.write));
      dump_to = pipe.fd();
      answer_stack_requests(std::move(pipe), write_stack);
      then(dump_to);
      (void)!::write(ready.write.get(), "x", 1);
      for (;;) ::pause();
    }
    pipe_ = std::move(stacks.read);
    stacks.write.reset();
    (void)read_some(ready.read.get(), 1);
  }
  ~Answering() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }

  /// What comes within `patience` milliseconds.
  std::string answer(int patience) {
    request_stack(pid_);
    std::string text;
    pollfd polled{pipe_.get(), POLLIN, 0};
    while (text.find('\0') == text.npos && ::poll(&polled, 1, patience) > 0) {
      const auto part = read_some(pipe_.get(), 100);
      if (!part || part->end) break;
      text += part->data;
    }
    return text;
  }
  /// The same, asked until it comes: what is asked while the last answer is written is dropped.
  std::string answer_at_last() {
    std::string text;
    while (text.empty()) text = answer(100);
    return text;
  }
  int pid() const { return pid_; }
  bool lives() const { return identify(pid_).has_value(); }

 private:
  int pid_;
  Fd pipe_;
};

TEST(StackRequest, IsAnsweredAsOftenAsItIsMade) {
  Answering process;
  EXPECT_EQ(process.answer_at_last(), std::string("stack\0", 6));
  EXPECT_EQ(process.answer_at_last(), std::string("stack\0", 6));
}

TEST(StackRequest, HarmsNobodyWhoDoesNotAnswer) {
  Answering closed([](int fd) { ::close(fd); });
  EXPECT_EQ(closed.answer(50), "");
  EXPECT_TRUE(closed.lives());
  Answering deaf([](int) { ::signal(stack_signal(), SIG_DFL); });
  EXPECT_EQ(deaf.answer(50), "");
  EXPECT_TRUE(deaf.lives());
  Answering blocked([](int) {
    sigset_t all;
    sigfillset(&all);
    ::sigprocmask(SIG_BLOCK, &all, nullptr);
  });
  EXPECT_EQ(blocked.answer(50), "");
  request_stack(1 << 30);
}

TEST(StackRequest, WritesIntoNoOtherFile) {
  Answering process([](int fd) {
    Pipe other = *make_pipe();
    ::dup2(other.write.get(), fd);
    (void)other.read.release();
  });
  EXPECT_EQ(process.answer(50), "");
  EXPECT_TRUE(process.lives());
}

TEST(StackRequest, TheSignalIsDeadlyFromAnybodyElse) {
  Answering process;
  ::kill(process.pid(), stack_signal());
  siginfo_t info{};
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(process.pid()), &info, WEXITED | WNOWAIT), 0);
  EXPECT_EQ(info.si_code, CLD_KILLED);
  EXPECT_EQ(info.si_status, stack_signal());
}

TEST(StackRequest, ReadsWhatTheKernelSaysOfSignals) {
  const std::string status = "Name:\tx\nSigBlk:\t0000000000000002\nSigCgt:\t0000000000000007\n";
  EXPECT_TRUE(takes_signal(status, 1));
  EXPECT_FALSE(takes_signal(status, 2));
  EXPECT_FALSE(takes_signal(status, 4));
  EXPECT_FALSE(takes_signal("", 1));
}

}  // namespace
}  // namespace stest
