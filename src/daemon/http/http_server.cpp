#include "daemon/http/http_server.hpp"

#include <httplib.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>

#include <charconv>
#include <exception>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "common/json/json_fields.hpp"
#include "daemon/http/access.hpp"
#include "daemon/http/collected_run.hpp"
#include "daemon/http/connection_stream.hpp"
#include "daemon/http/connection_threads.hpp"
#include "daemon/http/http_request.hpp"
#include "daemon/http/openapi.hpp"
#include "daemon/http/pending_connections.hpp"
#include "daemon/http/raw_refusal.hpp"
#include "stest/messages.hpp"

namespace stest {

namespace {

using nlohmann::json;
using SharedTicket = std::shared_ptr<Service::Ticket>;

/// The descriptors of the request that this thread serves. httplib gives a handler no way to its connection,
/// and one thread serves one connection.
thread_local std::vector<Fd> passed_fds;

std::string dump(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

void answer(httplib::Response& response, const json& body) {
  response.set_content(dump(body) + "\n", "application/json");
}

/// Bytes that are not UTF-8 are replaced, because the texts are for people.
void refuse(httplib::Response& response, const Refusal& refusal) {
  const auto& error = refusal.error;
  response.status = refusal.status;
  if (!refusal.allow.empty()) response.set_header("Allow", refusal.allow);
  if (refusal.status == 401) response.set_header("WWW-Authenticate", "Bearer");
  answer(response, {{"error", name(error.code)}, {"message", error.message}, {"hint", error.hint}});
}

void refuse(httplib::Response& response, const Error& error) { refuse(response, refusal_of(error)); }

/// httplib does not catch exceptions of a content provider.
bool guarded(httplib::DataSink& sink, const std::function<void()>& work) {
  try {
    work();
    sink.done();
    return true;
  } catch (const std::exception& error) {
    spdlog::error("a run's stream broke: {}", error.what());
    return false;
  }
}

Listener streaming_listener(httplib::DataSink& sink) {
  return {[&sink](const Event& event) {
            const auto line = dump(to_json(event)) + "\n";
            return sink.write(line.data(), line.size());
          },
          [&sink] { return sink.is_writable(); }};
}

Result<SharedTicket> admit(Service& service, const json& body) {
  auto request = run_request_from_json(body);
  if (!request) return tl::unexpected(request.error());
  return service.admit(std::move(*request), std::exchange(passed_fds, {}));
}

void stream_run(Service& service, httplib::Response& response, const json& body) {
  auto ticket = admit(service, body);
  if (!ticket) return refuse(response, ticket.error());
  response.set_chunked_content_provider(
      "application/x-ndjson", [&service, ticket = *ticket](std::size_t, httplib::DataSink& sink) {
        return guarded(sink, [&] { service.run(*ticket, streaming_listener(sink)); });
      });
}

void collect_run(Service& service, httplib::Response& response, const json& body) {
  auto ticket = admit(service, body);
  if (!ticket) return refuse(response, ticket.error());
  response.set_chunked_content_provider(
      "application/json", [&service, ticket = *ticket](std::size_t, httplib::DataSink& sink) {
        return guarded(sink, [&] {
          CollectedRun collected(ticket->id());
          service.run(*ticket, {[&](const Event& event) { return collected.take(event); },
                                [&sink] { return sink.is_writable(); }});
          const auto text = dump(collected.to_json()) + "\n";
          sink.write(text.data(), text.size());
        });
      });
}

/// The number in `digits`; 0, which no run has, if it is too large.
std::uint64_t run_id(const std::string& digits) {
  std::uint64_t id = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), id);
  return id;
}

void cancel_run(Service& service, const std::string& digits, httplib::Response& response, const json& body) {
  const auto how = only_field(body, "how", "interrupt");
  if (!how) return refuse(response, how.error());
  const auto level = cancel_how(*how);
  if (!level) {
    const Error unknown{ErrorCode::bad_request, "\"how\" is \"" + *how + "\"",
                        "Use \"interrupt\", \"terminate\" or \"kill\"."};
    return refuse(response, unknown);
  }
  const auto id = run_id(digits);
  if (auto done = service.cancel(id, *level); !done) return refuse(response, done.error());
  answer(response, {{"id", id}});
}

/// A request about a run that has no fields.
using Wish = std::function<Status(std::uint64_t id)>;

void ask_run(const Wish& wish, const std::string& digits, httplib::Response& response, const json& body) {
  FieldReader fields(body, "request");
  fields.refuse_others({});
  if (auto status = fields.status(); !status) return refuse(response, status.error());
  const auto id = run_id(digits);
  if (auto done = wish(id); !done) return refuse(response, done.error());
  answer(response, {{"id", id}});
}

void stop_daemon(Service& service, httplib::Response& response, const json& body) {
  const auto when = only_field(body, "when", "now");
  if (!when) return refuse(response, when.error());
  if (*when != "now" && *when != "idle") {
    const Error unknown{ErrorCode::bad_request, "\"when\" is \"" + *when + "\"", "Use \"now\" or \"idle\"."};
    return refuse(response, unknown);
  }
  service.stop(*when == "now" ? StopWhen::now : StopWhen::idle);
  answer(response, {{"stopping", true}});
}

Error error_of(std::exception_ptr thrown) {
  Error error{ErrorCode::internal, "an unknown exception", "This is a bug in stest."};
  try {
    std::rethrow_exception(std::move(thrown));
  } catch (const std::exception& known) {
    error.message = known.what();
  } catch (...) {  // NOLINT(bugprone-empty-catch): `error` has a message.
  }
  return error;
}

}  // namespace

/// httplib's server without its sockets: it parses, routes and answers. Its connections come from
/// `PendingConnections`.
class HttpServer::Server : public httplib::Server {
 public:
  Server(Service& service, ServerSocket socket);
  ~Server() override { svr_sock_ = INVALID_SOCKET; }

  void serve();
  void stop();
  const RouteTable& routes() const { return routes_; }

 private:
  void route(Service& service);
  void route_errors();
  void get(const std::string& path, Handler endpoint);
  /// `endpoint(request, response, body)` is called with the parsed JSON body.
  template <class Endpoint>
  void post(const std::string& path, Endpoint endpoint);

  bool admits(int connection) const { return socket_.endpoint().socket.empty() || is_own_user(connection); }
  void hand_over(Fd connection, std::string received, std::vector<Fd> fds);
  void serve_connection(Fd connection, std::string received);
  template <class Self>
  static void process(Self& self, ConnectionStream& stream);

  ServerSocket socket_;
  RouteTable routes_;
  ConnectionThreads threads_;
  PendingConnections pending_;
};

HttpServer::Server::Server(Service& service, ServerSocket socket)
    : socket_(std::move(socket)),
      pending_(
          socket_.fd(), [this](int connection) { return admits(connection); },
          [this](Fd connection, std::string received, std::vector<Fd> fds) {
            hand_over(std::move(connection), std::move(received), std::move(fds));
          }) {
  svr_sock_ = socket_.fd();  // Without a socket httplib assumes that it is stopped, and cuts off its answers.
  set_keep_alive_max_count(1);
  set_payload_max_length(max_body);
  route(service);
  route_errors();
}

void HttpServer::Server::serve() {
  pending_.run();
  threads_.shutdown();
}

/// The kernel refuses connections from now on.
void HttpServer::Server::stop() {
  socket_.remove_file();
  pending_.stop();
  ::shutdown(socket_.fd(), SHUT_RDWR);
}

void HttpServer::Server::hand_over(Fd connection, std::string received, std::vector<Fd> fds) {
  const auto shared = std::make_shared<Fd>(std::move(connection));  // A std::function must be copyable.
  const auto shared_fds = std::make_shared<std::vector<Fd>>(std::move(fds));
  const bool taken = threads_.enqueue([this, shared, shared_fds, received = std::move(received)] {
    passed_fds = std::move(*shared_fds);
    serve_connection(std::move(*shared), received);
  });
  if (taken) return;
  const auto busy = raw_refusal(503, {ErrorCode::daemon_unavailable,
                                      "the daemon serves too many requests at once", "Try again later."});
  (void)write_all(shared->get(), busy);
}

void HttpServer::Server::serve_connection(Fd connection, std::string received) {
  try {
    ConnectionStream stream(std::move(connection), std::move(received));
    process(*this, stream);
    stream.finish();
  } catch (const std::exception& error) {
    spdlog::error("a request could not be served: {}", error.what());
  }
}

/// Serves one request. Since version 0.17, httplib takes the addresses of both sides. Range requests get the
/// whole answer.
template <class Self>
void HttpServer::Server::process(Self& self, ConnectionStream& stream) {
  bool closed = false;
  const auto clear_ranges = [](httplib::Request& request) { request.ranges.clear(); };
  if constexpr (requires { self.process_request(stream, true, closed, clear_ranges); }) {
    self.process_request(stream, true, closed, clear_ranges);
  } else {
    self.process_request(stream, "", 0, "", 0, true, closed, clear_ranges);
  }
}

void HttpServer::Server::get(const std::string& path, Handler endpoint) {
  routes_.add("GET", path);
  Get(RouteTable::pattern(path), std::move(endpoint));
}

template <class Endpoint>
void HttpServer::Server::post(const std::string& path, Endpoint endpoint) {
  routes_.add("POST", path);
  Post(RouteTable::pattern(path), [endpoint](const httplib::Request& request, httplib::Response& response,
                                             const httplib::ContentReader& reader) {
    response.status = 200;
    const auto body = read_json(request, reader);
    if (!body) return refuse(response, body.error());
    endpoint(request, response, *body);
  });
}

void HttpServer::Server::route(Service& service) {
  get("/v1/openapi.json", [](const auto&, auto& response) {
    response.set_content(std::string(openapi_document()), "application/json");
  });
  get("/v1/status", [&](const auto&, auto& response) { answer(response, service.status()); });
  post("/v1/test/run/stream",
       [&](const auto&, auto& response, const json& body) { stream_run(service, response, body); });
  post("/v1/test/run",
       [&](const auto&, auto& response, const json& body) { collect_run(service, response, body); });
  post("/v1/test/run/{id}/cancel", [&](const auto& request, auto& response, const json& body) {
    cancel_run(service, request.matches[1], response, body);
  });
  post("/v1/test/run/{id}/suspend", [&](const auto& request, auto& response, const json& body) {
    ask_run([&](auto id) { return service.suspend(id, true); }, request.matches[1], response, body);
  });
  post("/v1/test/run/{id}/resume", [&](const auto& request, auto& response, const json& body) {
    ask_run([&](auto id) { return service.suspend(id, false); }, request.matches[1], response, body);
  });
  post("/v1/test/run/{id}/stack", [&](const auto& request, auto& response, const json& body) {
    ask_run([&](auto id) { return service.ask_stack(id); }, request.matches[1], response, body);
  });
  post("/v1/stop",
       [&](const auto&, auto& response, const json& body) { stop_daemon(service, response, body); });
}

void HttpServer::Server::route_errors() {
  set_pre_routing_handler([this](const auto& request, auto& response) {
    const auto refusal = check_head(request, socket_.endpoint(), routes_);
    if (!refusal) return HandlerResponse::Unhandled;
    refuse(response, *refusal);
    return HandlerResponse::Handled;
  });
  HandlerWithResponse on_error = [this](const auto& request, auto& response) {
    if (!response.body.empty()) return HandlerResponse::Unhandled;
    refuse(response, refusal_of_httplib(request, response.status, routes_));
    return HandlerResponse::Handled;
  };
  set_error_handler(std::move(on_error));
  set_exception_handler([](const auto& request, auto& response, std::exception_ptr thrown) {
    const auto error = error_of(std::move(thrown));
    spdlog::error("{} {}: {}", request.method, request.path, error.message);
    refuse(response, error);
  });
}

HttpServer::HttpServer(Service& service, ServerSocket socket)
    : server_(std::make_unique<Server>(service, std::move(socket))) {}

HttpServer::~HttpServer() = default;

void HttpServer::serve() { server_->serve(); }

void HttpServer::stop() { server_->stop(); }

std::vector<std::string> HttpServer::routes() const { return server_->routes().all(); }

}  // namespace stest
