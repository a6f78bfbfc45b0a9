#include "cli/terminal/standard_input.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "unit/temporary_folder.hpp"

namespace stest {
namespace {

/// While it lives, `fd` is stdin.
class AsStdin {
 public:
  explicit AsStdin(int fd) : saved_(::dup(0)) { ::dup2(fd, 0); }
  ~AsStdin() { ::dup2(saved_.get(), 0); }
  AsStdin(const AsStdin&) = delete;
  AsStdin& operator=(const AsStdin&) = delete;

 private:
  Fd saved_;
};

std::string read_all(int fd) {
  std::string all;
  for (;;) {
    const auto read = read_some(fd, 1 << 16);
    if (!read || read->end) return all;
    all += read->data;
  }
}

Fd open_again(const InputFile& input) { return Fd(::open(input.file.path.c_str(), O_RDONLY | O_CLOEXEC)); }

TEST(StandardInputTest, AFileIsReadFromWhereItStands) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "input";
  Fd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  ASSERT_TRUE(write_all(file.get(), "read unread"));
  ASSERT_EQ(::lseek(file.get(), 5, SEEK_SET), 5);
  const AsStdin as_stdin(file.get());
  const StandardInput input;
  ASSERT_TRUE(input.file());
  EXPECT_EQ(input.file()->offset, 5u);
  EXPECT_EQ(read_all(open_again(*input.file()).get()), "read unread") << "the offset is the reader's task";
}

TEST(StandardInputTest, APipeIsReadByWhoOpensIt) {
  auto pipe = *make_pipe();
  ASSERT_TRUE(write_all(pipe.write.get(), "lines"));
  pipe.write.reset();
  const AsStdin as_stdin(pipe.read.get());
  const StandardInput input;
  ASSERT_TRUE(input.file());
  EXPECT_EQ(input.file()->offset, 0u);
  EXPECT_EQ(read_all(open_again(*input.file()).get()), "lines");
}

TEST(StandardInputTest, ASocketIsCopied) {
  auto pair = *make_socketpair();
  const AsStdin as_stdin(pair.first.get());
  StandardInput input;
  ASSERT_TRUE(input.file());
  const auto copy = open_again(*input.file());
  input.begin();
  const std::string much(200'000, 'x');
  ASSERT_TRUE(write_all(pair.second.get(), "first"));
  EXPECT_EQ(read_some(copy.get(), 100)->data, "first");
  std::thread writer([&] {
    EXPECT_TRUE(write_all(pair.second.get(), much));
    pair.second.reset();
  });
  EXPECT_EQ(read_all(copy.get()), much);
  writer.join();
}

TEST(StandardInputTest, ASocketThatNobodyReadsDoesNotHoldUpTheEnd) {
  auto pair = *make_socketpair();
  const AsStdin as_stdin(pair.first.get());
  StandardInput input;
  input.begin();
  ASSERT_TRUE(write_all(pair.second.get(), std::string(100'000, 'x')));
}

TEST(StandardInputTest, NothingIsTakenFromASocketBeforeTheRunBegins) {
  auto pair = *make_socketpair();
  const AsStdin as_stdin(pair.first.get());
  ASSERT_TRUE(write_all(pair.second.get(), "all of it"));
  { const StandardInput input; }
  EXPECT_EQ(read_some(0, 100)->data, "all of it");
}

TEST(StandardInputTest, NothingIsPassedOnWhereThereIsNothingToRead) {
  const Fd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const AsStdin as_stdin(null.get());
  EXPECT_FALSE(StandardInput().file());
  ::close(0);
  EXPECT_FALSE(StandardInput().file());
}

}  // namespace
}  // namespace stest
