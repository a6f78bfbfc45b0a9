#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "common/os/process.hpp"
#include "unit/shell.hpp"
#include "unit/temporary_folder.hpp"

namespace stest {
namespace {

std::string read_to_end(int fd) {
  std::string text;
  while (true) {
    const Result<ReadResult> part = read_some(fd, 4096);
    if (!part || part->end) return text;
    text += part->data;
  }
}

/// Runs to the end and returns what it wrote to stdout.
std::string output_of(SpawnOptions options) {
  Result<Pipe> pipe = make_pipe();
  options.fds[1] = pipe->write.get();
  const Result<int> pid = spawn(options);
  EXPECT_TRUE(pid) << pid.error().message;
  pipe->write.reset();
  const std::string text = read_to_end(pipe->read.get());
  const auto status = pid ? wait_for(*pid) : std::nullopt;
  EXPECT_TRUE(status && status->code == 0);
  return text;
}

TEST(Spawn, ArgumentsArriveUntouched) {
  SpawnOptions options = shell("printf '%s|' \"$0\" \"$@\"");
  options.args.insert(options.args.end(), {"zero", "", "a b", "*", "\xff"});
  EXPECT_EQ(output_of(options), "zero||a b|*|\xff|");
}

TEST(Spawn, EnvironmentIsInheritedOrWhole) {
  ::setenv("STEST_UNIT_VARIABLE", "inherited", 1);
  const std::string script = "echo \"$STEST_UNIT_VARIABLE-$OTHER\"";
  EXPECT_EQ(output_of(shell(script)), "inherited-\n");
  const Environment env{{"OTHER", "x=y"}};
  SpawnOptions options = shell(script);
  options.env = &env;
  EXPECT_EQ(output_of(options), "-x=y\n");
  const Environment empty;
  options.env = &empty;
  EXPECT_EQ(output_of(options), "-\n");
  ::unsetenv("STEST_UNIT_VARIABLE");
}

TEST(Spawn, WorkingFolder) {
  const TemporaryFolder folder;
  SpawnOptions options = shell("pwd");
  options.cwd = folder.path();
  EXPECT_EQ(output_of(options), folder.path().string() + "\n");
}

TEST(Spawn, MissingExecutableIsAnError) {
  SpawnOptions options;
  options.executable = "/nowhere/missing";
  const Result<int> pid = spawn(options);
  ASSERT_FALSE(pid);
  EXPECT_EQ(pid.error().code, ErrorCode::internal);
  EXPECT_EQ(pid.error().message, "cannot start /nowhere/missing: No such file or directory");
  EXPECT_FALSE(pid.error().hint.empty());
  EXPECT_TRUE(descendants(::getpid()).empty()) << "a child was left behind";
}

TEST(Spawn, FileThatIsNoProgramIsAnError) {
  const TemporaryFolder folder;
  SpawnOptions options;
  options.executable = folder.write("text", "not a program");
  EXPECT_FALSE(spawn(options));
  ::chmod(options.executable.c_str(), 0700);
  EXPECT_FALSE(spawn(options));
}

TEST(Spawn, MissingFolderIsAnError) {
  SpawnOptions options = shell("true");
  options.cwd = "/nowhere/missing";
  const Result<int> pid = spawn(options);
  ASSERT_FALSE(pid);
  EXPECT_EQ(pid.error().message, "cannot start /bin/sh: folder /nowhere/missing: No such file or directory");
}

TEST(Spawn, BadDescriptorIsAnError) {
  SpawnOptions options = shell("true");
  options.fds[5] = 9999;
  const Result<int> pid = spawn(options);
  ASSERT_FALSE(pid);
  EXPECT_EQ(pid.error().message, "cannot start /bin/sh: its descriptors: Bad file descriptor");
}

TEST(Spawn, DescriptorsMayChangePlaces) {
  // Each of the two numbers is the other's source: a plain sequence of dup2 would lose one.
  Result<Pipe> first = make_pipe();
  Result<Pipe> second = make_pipe();
  SpawnOptions options = shell("printf a >/proc/self/fd/$0; printf b >/proc/self/fd/$1");
  const Fd low_a(::fcntl(first->write.get(), F_DUPFD_CLOEXEC, 3));
  const Fd low_b(::fcntl(second->write.get(), F_DUPFD_CLOEXEC, 3));
  options.args.insert(options.args.end(), {std::to_string(low_a.get()), std::to_string(low_b.get())});
  options.fds = {{low_a.get(), low_b.get()}, {low_b.get(), low_a.get()}};
  const Result<int> pid = spawn(options);
  ASSERT_TRUE(pid) << pid.error().message;
  wait_for(*pid);
  EXPECT_EQ(read_some(first->read.get(), 10)->data, "b");
  EXPECT_EQ(read_some(second->read.get(), 10)->data, "a");
}

TEST(Spawn, OneDescriptorInSeveralPlaces) {
  SpawnOptions options = shell("printf out; printf err >&2; printf five >&5");
  Result<Pipe> pipe = make_pipe();
  const int write = pipe->write.get();
  options.fds = {{1, write}, {2, write}, {5, write}};
  const Result<int> pid = spawn(options);
  ASSERT_TRUE(pid);
  pipe->write.reset();
  EXPECT_EQ(read_to_end(pipe->read.get()), "outerrfive");
  wait_for(*pid);
}

TEST(Spawn, EverythingElseIsClosedAndTheFirstThreeAreNot) {
  const Fd leak(::fcntl(1, F_DUPFD, 40));  // Not close-on-exec.
  ASSERT_TRUE(leak);
  SpawnOptions options =
      shell("for f in /proc/$$/fd/*; do printf '%s ' ${f##*/}; done; readlink /proc/$$/fd/0");
  const std::string text = output_of(options);
  EXPECT_EQ(text.substr(0, 6), "0 1 2 ");
  EXPECT_EQ(text.find("40"), std::string::npos);
  EXPECT_NE(text.find("/dev/null"), std::string::npos);
}

TEST(Spawn, SignalsAreReset) {
  sigset_t blocked;
  sigset_t before;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &blocked, &before);
  const auto old = ::signal(SIGINT, SIG_IGN);
  const auto old_pipe = ::signal(SIGPIPE, SIG_IGN);
  const std::string text = output_of(shell("exec grep -E 'Sig(Blk|Ign)' /proc/self/status"));
  sigset_t after;
  ::pthread_sigmask(SIG_SETMASK, &before, &after);
  ::signal(SIGINT, old);
  ::signal(SIGPIPE, old_pipe);
  EXPECT_EQ(text, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
  EXPECT_EQ(::sigismember(&after, SIGTERM), 1) << "the caller's mask was changed";
}

TEST(Spawn, NewSession) {
  SpawnOptions options = shell("cut -d' ' -f1,5,6 /proc/$$/stat");
  const std::string same = output_of(options);
  options.new_session = true;
  const std::string own = output_of(options);
  const std::string pid = own.substr(0, own.find(' '));
  EXPECT_EQ(own, pid + " " + pid + " " + pid + "\n");
  EXPECT_NE(same.substr(same.rfind(' ') + 1), same.substr(0, same.find(' ')) + "\n");
}

TEST(Spawn, DiesWithTheThreadThatSpawnedIt) {
  SpawnOptions options = shell("exec sleep 100");
  options.dies_with_parent = true;
  Result<int> pid;
  std::thread([&] { pid = spawn(options); }).join();
  ASSERT_TRUE(pid);
  EXPECT_EQ(wait_for(*pid)->signal, SIGKILL);
}

TEST(Spawn, WhileOtherThreadsAllocate) {
  std::atomic<bool> stop = false;
  std::thread busy([&] {
    while (!stop) std::vector<std::string>(100, std::string(100, 'x')).clear();
  });
  for (int i = 0; i < 50; ++i) EXPECT_EQ(output_of(shell("echo x")), "x\n");
  stop = true;
  busy.join();
}

TEST(WaitFor, CodeSignalAndNoChild) {
  const auto code = wait_for(spawn(shell("exit 7")).value());
  ASSERT_TRUE(code);
  EXPECT_EQ(code->code, 7);
  EXPECT_EQ(code->signal, std::nullopt);
  const auto signal = wait_for(spawn(shell("kill -9 $$")).value());
  ASSERT_TRUE(signal);
  EXPECT_EQ(signal->code, std::nullopt);
  EXPECT_EQ(signal->signal, SIGKILL);
  EXPECT_FALSE(wait_for(1));
}

}  // namespace
}  // namespace stest
