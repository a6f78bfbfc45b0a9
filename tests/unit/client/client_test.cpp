#include "client/client.hpp"

#include <gtest/gtest.h>

#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "client/http_exchange.hpp"
#include "unit/client/fake_daemon.hpp"

namespace stest {
namespace {

using unit::FakeDaemon;
using unit::TemporaryProject;

class ClientTest : public ::testing::Test {
 protected:
  ClientTest() : daemon_(project_.root(), endpoint().socket), client_(endpoint()) {
    daemon_.on_stop = [this](const std::string& when) {
      std::lock_guard lock(mutex_);
      stops_.push_back(when);
    };
    daemon_.start();
  }

  Endpoint endpoint() const { return {(project_.root() / "daemon.sock").string(), 0, ""}; }

  Result<event::Done> run(const std::string& kind) {
    RunRequest request;
    request.args = {kind};
    request.cwd = "/";
    return client_.run(request, [this](const Event& event) {
      events_.push_back(event);
      return true;
    });
  }

  TemporaryProject project_;
  std::mutex mutex_;
  std::vector<std::string> stops_;  // Of the daemon's threads, which end before it.
  FakeDaemon daemon_;
  DaemonClient client_;
  std::vector<Event> events_;
};

TEST_F(ClientTest, ReadsTheStatus) {
  const auto status = client_.status();
  ASSERT_TRUE(status) << status.error().message;
  EXPECT_EQ((*status)["state"], "idle");
}

TEST_F(ClientTest, SaysWhenToStop) {
  EXPECT_TRUE(client_.stop(StopWhen::now));
  EXPECT_TRUE(client_.stop(StopWhen::idle));
  std::lock_guard lock(mutex_);
  EXPECT_EQ(stops_, (std::vector<std::string>{"now", "idle"}));
}

TEST_F(ClientTest, HandsOverEveryEventInOrder) {
  const auto done = run("hello");
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(done->exit_code, 3);
  ASSERT_EQ(events_.size(), 5u);
  EXPECT_EQ(std::get<event::Started>(events_[0]).id, 7u);
  EXPECT_EQ(std::get<event::Output>(events_[1]).data, "hello \xff\n");
  EXPECT_EQ(std::get<event::Output>(events_[2]).stream, Stream::err);
  EXPECT_EQ(std::get<event::Notice>(events_[3]).text, "started the worker");
  EXPECT_EQ(std::get<event::Done>(events_[4]).outcome, Outcome::failed);
}

TEST_F(ClientTest, ADaemonThatGoesAwayIsAnError) {
  const auto done = run("cut");
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ErrorCode::daemon_unavailable);
  EXPECT_EQ(done.error().message, "the connection to the daemon was lost while the tests ran");
  EXPECT_NE(done.error().hint.find("stest logs"), std::string::npos);
}

TEST_F(ClientTest, ARefusalCarriesTheDaemonsOwnWords) {
  const auto done = run("refuse");
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ErrorCode::daemon_unavailable);
  EXPECT_EQ(done.error().message, "about to stop");
  EXPECT_EQ(done.error().hint, "wait");
  EXPECT_TRUE(events_.empty());
}

TEST_F(ClientTest, ALineThatIsNoEventEndsTheRun) {
  const auto done = run("nonsense");
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ErrorCode::internal);
}

TEST_F(ClientTest, ASinkThatHasHadEnoughClosesTheConnection) {
  RunRequest request;
  request.args = {"flood"};
  request.cwd = "/";
  int received = 0;
  const auto done = client_.run(request, [&](const Event&) { return ++received < 5; });
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ErrorCode::cancelled);
  EXPECT_EQ(received, 5);
}

TEST_F(ClientTest, CancelsARunFromAnotherThread) {
  const auto waiting = project_.root() / "waiting";
  std::thread other([&] {
    while (!std::filesystem::exists(waiting)) std::this_thread::yield();
    EXPECT_TRUE(client_.cancel(7, CancelHow::interrupt));
    EXPECT_TRUE(client_.cancel(7, CancelHow::terminate));
  });
  const auto done = run("wait");
  other.join();
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(done->message, "cancelled: interrupt terminate");
}

TEST_F(ClientTest, CancellingAnUnknownRunIsNotFound) {
  const auto cancelled = client_.cancel(8, CancelHow::kill);
  ASSERT_FALSE(cancelled);
  EXPECT_EQ(cancelled.error().code, ErrorCode::not_found);
}

TEST_F(ClientTest, ManyAtOnceAreAllServed) {
  std::vector<std::thread> threads;
  std::atomic<int> served = 0;
  for (int i = 0; i < 40; ++i) {
    threads.emplace_back([&] { served += client_.status().has_value() ? 1 : 0; });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(served, 40);
}

/// A socket that somebody listens at and whose queue of connections is full.
class FullSocket {
 public:
  explicit FullSocket(const std::string& path) : listener_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    EXPECT_EQ(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(listener_.get(), 0), 0);
    for (int error = 0; error == 0;) {
      queue_.emplace_back(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
      error = ::connect(queue_.back().get(), reinterpret_cast<sockaddr*>(&address), sizeof address);
    }
  }

 private:
  Fd listener_;
  std::vector<Fd> queue_;
};

TEST(IsListeningTest, TellsABusyDaemonFromNone) {
  const TemporaryProject project;
  const Endpoint endpoint{(project.root() / "s").string(), 0, ""};
  EXPECT_FALSE(is_listening(endpoint).value());
  {
    const FullSocket full(endpoint.socket);
    EXPECT_TRUE(is_listening(endpoint).value());
  }
  EXPECT_TRUE(std::filesystem::exists(endpoint.socket));
  EXPECT_FALSE(is_listening(endpoint).value());
}

TEST(IsListeningTest, ABusyDaemonIsAskedAgainUntilPatienceEnds) {
  const TemporaryProject project;
  const Endpoint endpoint{(project.root() / "s").string(), 0, ""};
  const FullSocket full(endpoint.socket);
  const auto begin = std::chrono::steady_clock::now();
  const auto cancelled = DaemonClient(endpoint).cancel(1, CancelHow::kill);
  EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::seconds(2));
  ASSERT_FALSE(cancelled);
  EXPECT_EQ(cancelled.error().code, ErrorCode::daemon_unavailable);
}

TEST(IsListeningTest, WithoutADaemonTheErrorComesAtOnce) {
  const TemporaryProject project;
  const auto status = DaemonClient({(project.root() / "s").string(), 0, ""}).status();
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::daemon_unavailable);
}

}  // namespace
}  // namespace stest
