#include "daemon/http/http_server.hpp"

#include <httplib.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cctype>
#include <cstring>
#include <nlohmann/json.hpp>
#include <sstream>

#include "stest/messages.hpp"
#include "unit/daemon/harness.hpp"

namespace stest {
namespace {

using nlohmann::json;

class HttpServerTest : public ServiceFixture {
 protected:
  HttpServerTest() {
    thread = std::thread([this] { server.serve(); });
  }
  ~HttpServerTest() override {
    service().shut_down();
    server.stop();
    thread.join();
  }

  httplib::Client client() const {
    httplib::Client client(socket.string(), 80);
    client.set_address_family(AF_UNIX);
    client.set_default_headers({{"Host", "localhost"}});
    client.set_read_timeout(test_patience);
    return client;
  }

  std::string run_body(std::vector<std::string> script) const {
    return to_json(request(std::move(script))).dump();
  }

  httplib::Result post(const std::string& path, const std::string& body) const {
    return client().Post(path, body, "application/json");
  }

  void expect_error(const httplib::Result& answer, int status, const std::string& code) {
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->status, status) << answer->body;
    EXPECT_EQ(answer->get_header_value("Content-Type"), "application/json");
    const auto error = json::parse(answer->body, nullptr, false);
    ASSERT_TRUE(error.is_object()) << answer->body;
    EXPECT_EQ(error["error"], code);
    EXPECT_FALSE(error["message"].get<std::string>().empty());
    EXPECT_TRUE(error.contains("hint"));
  }

  std::filesystem::path socket = project.path() / "daemon.sock";
  HttpServer server{service(), ServerSocket::at_path(socket).value()};
  std::thread thread;
};

TEST_F(HttpServerTest, AnswersStatus) {
  const auto answer = client().Get("/v1/status");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 200);
  EXPECT_EQ(json::parse(answer->body)["state"], "idle");
}

TEST_F(HttpServerTest, StreamsEventsAsLines) {
  const auto answer = post("/v1/test/run/stream", run_body({"out:hello"}));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 200);
  EXPECT_EQ(answer->get_header_value("Content-Type"), "application/x-ndjson");
  std::vector<std::string> kinds;
  std::istringstream lines(answer->body);
  for (std::string line; std::getline(lines, line);) kinds.push_back(json::parse(line)["event"]);
  EXPECT_EQ(std::count(kinds.begin(), kinds.end(), "notice"), 1);
  EXPECT_EQ(kinds.back(), "done");
  EXPECT_EQ(std::count(kinds.begin(), kinds.end(), "output"), 1);
}

TEST_F(HttpServerTest, CollectsARunIntoOneAnswer) {
  const auto answer = post("/v1/test/run", run_body({"out:hello", "err:there", "phase:returned", "exit:1"}));
  ASSERT_TRUE(answer);
  const auto body = json::parse(answer->body);
  EXPECT_EQ(body["exit_code"], 1);
  EXPECT_EQ(body["outcome"], "failed");
  EXPECT_EQ(body["stdout"], "hello");
  EXPECT_EQ(body["stderr"], "there");
}

TEST_F(HttpServerTest, CancelsARun) {
  BackgroundRun slow(service(), request({"interruptible:2"}));
  slow.client.await<event::Output>();
  const auto path = "/v1/test/run/" + std::to_string(slow.id) + "/cancel";
  expect_error(post(path, R"({"how":"gently"})"), 400, "bad_request");
  expect_error(post(path, R"({"how":3})"), 400, "bad_request");
  const auto answer = post(path, R"({"how":"interrupt"})");
  ASSERT_TRUE(answer);
  EXPECT_EQ(json::parse(answer->body), (json{{"id", slow.id}}));
  EXPECT_EQ(slow.done().exit_code, 2);
}

TEST_F(HttpServerTest, AnswersErrorsAsJson) {
  expect_error(client().Get("/nowhere"), 404, "not_found");
  expect_error(client().Get("/v1/stop"), 405, "bad_request");
  expect_error(client().Put("/v1/status", "{}", "application/json"), 405, "bad_request");
  expect_error(post("/v1/test/run/77/cancel", "{}"), 404, "not_found");
  expect_error(post("/v1/test/run/99999999999999999999999/cancel", "{}"), 404, "not_found");
  expect_error(post("/v1/test/run/x/cancel", "{}"), 404, "not_found");
  expect_error(post("/v1/test/run", "{"), 400, "bad_request");
  expect_error(post("/v1/test/run", "[]"), 400, "bad_request");
  expect_error(post("/v1/test/run/stream", "{}"), 400, "bad_request");
  expect_error(post("/v1/test/run/stream", R"({"args":"x","cwd":"/","env":{}})"), 400, "bad_request");
  expect_error(post("/v1/stop", R"({"when":"later"})"), 400, "bad_request");
  expect_error(post("/v1/stop", R"({"whem":"now"})"), 400, "bad_request");
  configure("unknown = 1\n");
  expect_error(post("/v1/test/run/stream", run_body({})), 400, "config");
}

TEST_F(HttpServerTest, TakesABodyOfAnyDeclaredTypeAndSize) {
  auto large = request({"out:ok"});
  large.env["LARGE"] = std::string(100'000, 'x');
  const auto answer =
      client().Post("/v1/test/run", to_json(large).dump(), "application/x-www-form-urlencoded");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 200) << answer->body;
  expect_error(post("/v1/test/run", std::string((64u << 20) + 1, ' ')), 413, "bad_request");
}

TEST_F(HttpServerTest, NeedsNoBodyToStop) {
  const auto answer = client().Post("/v1/stop");
  ASSERT_TRUE(answer);
  EXPECT_EQ(json::parse(answer->body), (json{{"stopping", true}}));
  expect_error(post("/v1/test/run", run_body({})), 503, "daemon_unavailable");
}

TEST_F(HttpServerTest, AnswersStatusWhileManyRunsStream) {
  std::vector<std::thread> runs;
  for (int i = 0; i < 30; ++i) {
    runs.emplace_back([this] { post("/v1/test/run/stream", run_body({"interruptible:2"})); });
  }
  await([&] { return service().status()["runs"].size() == 30; }, "thirty runs");
  EXPECT_TRUE(client().Get("/v1/status"));
  service().stop(StopWhen::now);
  for (auto& run : runs) run.join();
}

TEST_F(HttpServerTest, ADroppedConnectionEndsItsRun) {
  const Fd connection(::socket(AF_UNIX, SOCK_STREAM, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, socket.c_str(), sizeof address.sun_path - 1);
  ASSERT_EQ(::connect(connection.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  const auto body = run_body({"interruptible:2"});
  ASSERT_TRUE(write_all(connection.get(), "POST /v1/test/run/stream HTTP/1.1\r\nHost: x\r\nContent-Length: " +
                                              std::to_string(body.size()) + "\r\n\r\n" + body));
  await([&] { return service().status()["runs"].size() == 1; }, "the run");
  ::shutdown(connection.get(), SHUT_RDWR);
  await([&] { return !service().status()["last_result"].is_null(); }, "its end");
  EXPECT_EQ(service().status()["last_result"]["outcome"], "cancelled");
}

TEST_F(HttpServerTest, ASlowClientHoldsTheTestsBackAndLosesNothing) {
  std::size_t received = 0;
  httplib::Request http;
  http.method = "POST";
  http.path = "/v1/test/run/stream";
  http.body = run_body({"flood:3000000"});
  bool paused = false;
  http.content_receiver = [&](const char*, std::size_t size, std::uint64_t, std::uint64_t) {
    if (!paused) std::this_thread::sleep_for(std::chrono::milliseconds(300));
    paused = true;
    received += size;
    return true;
  };
  auto slow = client();
  ASSERT_TRUE(slow.send(http));
  EXPECT_GT(received, 3'000'000u);
}

TEST_F(HttpServerTest, ServesTheDescriptionOfEachOfItsRoutesAndOfNoOther) {
  const auto document = json::parse(client().Get("/v1/openapi.json")->body);
  std::vector<std::string> described;
  for (const auto& [path, methods] : document["paths"].items()) {
    for (const auto& [method, operation] : methods.items()) {
      std::string upper = method;
      std::transform(upper.begin(), upper.end(), upper.begin(), ::toupper);
      described.push_back(upper + " " + path);
    }
  }
  auto served = server.routes();
  std::sort(served.begin(), served.end());
  std::sort(described.begin(), described.end());
  EXPECT_EQ(described, served);
}

TEST_F(HttpServerTest, StopsAndRemovesItsSocket) {
  server.stop();
  EXPECT_FALSE(std::filesystem::exists(socket));
  EXPECT_FALSE(client().Get("/v1/status"));
}

class TcpServerTest : public ServiceFixture {
 protected:
  ~TcpServerTest() override {
    service().shut_down();
    server.stop();
    thread.join();
  }

  int status_with(const httplib::Headers& headers) const {
    httplib::Client client("127.0.0.1", endpoint.port);
    const auto answer = client.Get("/v1/status", headers);
    return answer ? answer->status : 0;
  }

  ServerSocket socket = ServerSocket::on_loopback({}).value();
  Endpoint endpoint = socket.endpoint();
  HttpServer server{service(), std::move(socket)};
  std::thread thread{[this] { server.serve(); }};
};

TEST_F(TcpServerTest, WantsItsTokenAndItsName) {
  const auto host = "127.0.0.1:" + std::to_string(endpoint.port);
  EXPECT_EQ(status_with({{"Host", host}}), 401);
  EXPECT_EQ(status_with({{"Host", "elsewhere"}, {"Authorization", "Bearer " + endpoint.token}}), 403);
  EXPECT_EQ(status_with({{"Host", host}, {"Authorization", "Bearer " + endpoint.token}}), 200);
}

TEST(HttpServer, StopsBeforeItServes) {
  TemporaryFolder folder;
  Children children;
  Service::Options options;
  options.root = folder.path();
  options.status_file = folder.path() / "status.json";
  Service service(options, children);
  HttpServer server(service, ServerSocket::at_path(folder.path() / "socket").value());
  server.stop();
  server.serve();
}

}  // namespace
}  // namespace stest
