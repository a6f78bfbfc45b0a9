#include "client/client.hpp"

#include <httplib.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <memory>
#include <nlohmann/json.hpp>

#include "client/backoff.hpp"

namespace stest {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto busy_patience = 30s;
constexpr auto answer_patience = 10s;
constexpr auto cancel_patience = 2s;
// A run may be silent for as long as it likes. cpp-httplib counts in milliseconds of an `int`, which
// end after 24 days.
constexpr auto run_patience = std::chrono::hours(24 * 20);

/// How a connect() in progress ended, the error number; EINPROGRESS where it has not within a second.
int await_connection(const Fd& socket) {
  pollfd entry{socket.get(), POLLOUT, 0};
  int error = EINPROGRESS;
  socklen_t size = sizeof error;
  if (::poll(&entry, 1, 1000) > 0) ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  return error;
}

/// Connects, without waiting where the daemon is too busy; the error number, 0 on success.
int try_connect(int family, const sockaddr* address, socklen_t size) {
  Fd socket(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return errno;
  if (::connect(socket.get(), address, size) == 0) return 0;
  return errno == EINPROGRESS ? await_connection(socket) : errno;
}

int try_connect_unix(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return ENAMETOOLONG;
  std::memcpy(address.sun_path, path.data(), path.size());
  return try_connect(AF_UNIX, reinterpret_cast<const sockaddr*>(&address), sizeof address);
}

int try_connect_tcp(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return try_connect(AF_INET, reinterpret_cast<const sockaddr*>(&address), sizeof address);
}

/// The constructor with a port, because the one without parses its argument with a regex.
std::unique_ptr<httplib::Client> open_client(const Endpoint& endpoint, Clock::duration patience) {
  const bool is_unix = !endpoint.socket.empty();
  auto client = std::make_unique<httplib::Client>(is_unix ? endpoint.socket : "127.0.0.1",
                                                  is_unix ? 80 : endpoint.port);
  if (is_unix) client->set_address_family(AF_UNIX);
  if (!endpoint.token.empty()) client->set_bearer_token_auth(endpoint.token);
  client->set_connection_timeout(2s);
  client->set_write_timeout(answer_patience);
  client->set_read_timeout(patience);
  client->set_keep_alive(false);
  client->set_decompress(false);
  return client;
}

/// cpp-httplib would name the socket's path.
std::string host_of(const Endpoint& endpoint) {
  return endpoint.socket.empty() ? "127.0.0.1:" + std::to_string(endpoint.port) : "localhost";
}

/// A non-blocking connect fails while the daemon's queue of connections is full, as it does when
/// nobody listens; cpp-httplib does not say which of the two it was.
httplib::Result send(const Endpoint& endpoint, httplib::Request request, Clock::duration patience) {
  const auto deadline = Clock::now() + std::min<Clock::duration>(busy_patience, patience);
  request.set_header("Host", host_of(endpoint));
  for (Backoff backoff;; backoff.wait()) {
    auto result = open_client(endpoint, patience)->send(request);
    const bool refused = !result && result.error() == httplib::Error::Connection;
    if (!refused || Clock::now() > deadline || !is_listening(endpoint)) return result;
  }
}

httplib::Request make_request(const char* method, std::string path, const nlohmann::json& body = nullptr) {
  httplib::Request request;
  request.method = method;
  request.path = std::move(path);
  if (!body.is_null()) {
    request.set_header("Content-Type", "application/json");
    request.body = body.dump();
  }
  return request;
}

bool is_success(int status) { return status >= 200 && status < 300; }

Error refusal(int status, const std::string& body) {
  const auto json = nlohmann::json::parse(body, nullptr, false);
  if (json.is_object() && json.contains("error")) return error_from_json(json);
  return {ErrorCode::internal, "the daemon answered with HTTP status " + std::to_string(status),
          "see `stest logs`"};
}

tl::unexpected<Error> no_answer(httplib::Error error) {
  if (error == httplib::Error::Connection) {
    return fail(ErrorCode::daemon_unavailable, "the daemon does not take connections",
                "`stest restart` starts a new one");
  }
  return fail(ErrorCode::daemon_unavailable, "the daemon did not answer (" + httplib::to_string(error) + ")",
              "see `stest logs`; `stest restart` starts a new one");
}

Result<nlohmann::json> ask(const Endpoint& endpoint, const httplib::Request& request,
                           Clock::duration patience) {
  const auto result = send(endpoint, request, patience);
  if (!result) return no_answer(result.error());
  if (!is_success(result->status)) return tl::unexpected(refusal(result->status, result->body));
  auto json = nlohmann::json::parse(result->body, nullptr, false);
  if (json.is_discarded()) {
    return fail(ErrorCode::internal, "the daemon's answer is not JSON", "`stest restart` starts a new one");
  }
  return json;
}

std::string_view name(StopWhen when) { return when == StopWhen::now ? "now" : "idle"; }

std::string_view name(CancelHow how) {
  switch (how) {
    case CancelHow::interrupt:
      return "interrupt";
    case CancelHow::terminate:
      return "terminate";
    case CancelHow::kill:
      break;
  }
  return "kill";
}

/// The answer to a run as it arrives: cut into lines, each line an event for the sink. The body of a
/// refusal is kept whole instead.
class RunStream {
 public:
  explicit RunStream(const EventSink& sink) : sink_(sink) {}

  bool begin(const httplib::Response& response) {
    status_ = response.status;
    return true;
  }

  bool receive(const char* data, std::size_t size) {
    buffer_.append(data, size);
    return !is_success(status_) || take_lines();
  }

  Result<event::Done> finish(httplib::Error error) const {
    if (done_) return *done_;
    if (error_) return tl::unexpected(*error_);
    if (status_ == 0) return no_answer(error);
    if (!is_success(status_)) return tl::unexpected(refusal(status_, buffer_));
    return fail(ErrorCode::daemon_unavailable, "the daemon went away while the tests ran",
                "see `stest logs`");
  }

 private:
  bool take_lines() {
    std::size_t start = 0;
    for (auto end = buffer_.find('\n'); end != std::string::npos; end = buffer_.find('\n', start)) {
      if (!take_line(std::string_view(buffer_).substr(start, end - start))) return false;
      start = end + 1;
    }
    buffer_.erase(0, start);
    return true;
  }

  bool take_line(std::string_view line) {
    const auto event = event_from_json(nlohmann::json::parse(line, nullptr, false));
    if (!event)
      return stop_with({ErrorCode::internal, "the daemon sent " + event.error().message,
                        "`stest restart` starts a new one"});
    if (const auto* done = std::get_if<event::Done>(&*event)) done_ = *done;
    return sink_(*event) || stop_with({ErrorCode::cancelled, "nobody listens to the run any more", ""});
  }

  bool stop_with(Error error) {
    error_ = std::move(error);
    return false;
  }

  const EventSink& sink_;
  int status_ = 0;
  std::string buffer_;
  std::optional<event::Done> done_;
  std::optional<Error> error_;
};

}  // namespace

bool is_listening(const Endpoint& endpoint) {
  const int error =
      endpoint.socket.empty() ? try_connect_tcp(endpoint.port) : try_connect_unix(endpoint.socket);
  return error == 0 || error == EAGAIN || error == EINPROGRESS;
}

Result<nlohmann::json> DaemonClient::status() const {
  return ask(endpoint_, make_request("GET", "/v1/status"), answer_patience);
}

Status DaemonClient::stop(StopWhen when) const {
  const auto request = make_request("POST", "/v1/stop", {{"when", name(when)}});
  return ask(endpoint_, request, answer_patience).map([](const auto&) {});
}

Status DaemonClient::cancel(std::uint64_t id, CancelHow how) const {
  const auto request =
      make_request("POST", "/v1/test/run/" + std::to_string(id) + "/cancel", {{"how", name(how)}});
  return ask(endpoint_, request, cancel_patience).map([](const auto&) {});
}

Status DaemonClient::suspend(std::uint64_t id, bool on) const {
  const auto path = "/v1/test/run/" + std::to_string(id) + (on ? "/suspend" : "/resume");
  return ask(endpoint_, make_request("POST", path, nlohmann::json::object()), cancel_patience)
      .map([](const auto&) {});
}

Result<event::Done> DaemonClient::run(const RunRequest& request, const EventSink& sink) const {
  RunStream stream(sink);
  auto http = make_request("POST", "/v1/test/run/stream", to_json(request));
  http.response_handler = [&](const httplib::Response& response) { return stream.begin(response); };
  http.content_receiver = [&](const char* data, std::size_t size, std::uint64_t, std::uint64_t) {
    return stream.receive(data, size);
  };
  const auto result = send(endpoint_, http, run_patience);
  return stream.finish(result.error());
}

}  // namespace stest
