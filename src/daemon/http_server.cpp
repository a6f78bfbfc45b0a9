#include "daemon/http_server.hpp"

#include <httplib.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>
#include <exception>
#include <string>
#include <system_error>
#include <utility>

#include "daemon/collected_run.hpp"
#include "daemon/connection_threads.hpp"
#include "stest/messages.hpp"

namespace stest {

namespace {

using nlohmann::json;
using SharedTicket = std::shared_ptr<Service::Ticket>;

constexpr int backlog = 512;
constexpr std::size_t max_body = 64u << 20;
constexpr std::chrono::seconds read_timeout{10};
/// A client stopped with Ctrl-Z loses nothing when it goes on days later. httplib may count in
/// milliseconds of an `int`, which end after 24 days.
constexpr std::chrono::hours write_timeout{24 * 20};
/// httplib wants a port even where there is none.
constexpr int no_port = 80;

std::string dump(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

int http_status(ErrorCode code) {
  switch (code) {
    case ErrorCode::usage:
    case ErrorCode::config:
    case ErrorCode::bad_request:
      return 400;
    case ErrorCode::not_found:
      return 404;
    case ErrorCode::busy:
      return 409;
    case ErrorCode::daemon_unavailable:
      return 503;
    default:
      return 500;
  }
}

void answer(httplib::Response& response, const json& body) {
  response.set_content(dump(body) + "\n", "application/json");
}

void refuse(httplib::Response& response, const Error& error, int status) {
  response.status = status;
  answer(response, to_json(error));
}

void refuse(httplib::Response& response, const Error& error) {
  refuse(response, error, http_status(error.code));
}

/// Errors that httplib itself found, which come without a body.
Error error_of_status(const httplib::Request& request, int status) {
  if (status == 404) {
    return {ErrorCode::not_found, "there is no " + request.method + " " + request.path,
            "docs/http_api.md lists what there is."};
  }
  if (status == 413) return {ErrorCode::bad_request, "the body is larger than 64 MiB", ""};
  if (status >= 500) return {ErrorCode::internal, "the request could not be served", ""};
  return {ErrorCode::bad_request, "this is no valid HTTP request", ""};
}

Result<std::string> read_body(const httplib::Request& request, const httplib::ContentReader& reader) {
  std::string body;
  // Without either header there is no body; httplib would wait for the client to close.
  if (!request.has_header("Content-Length") && !request.has_header("Transfer-Encoding")) return body;
  if (request.is_multipart_form_data()) return fail(ErrorCode::bad_request, "the body is not JSON");
  const bool whole = reader([&](const char* data, std::size_t size) {
    body.append(data, size);
    return body.size() <= max_body;
  });
  if (!whole) return fail(ErrorCode::bad_request, "the body is larger than 64 MiB or was not sent in time");
  return body;
}

Result<json> read_json(const httplib::Request& request, const httplib::ContentReader& reader) {
  auto body = read_body(request, reader);
  if (!body) return tl::unexpected(body.error());
  if (body->empty()) return json::object();
  auto parsed = json::parse(*body, nullptr, false);
  if (!parsed.is_object()) return fail(ErrorCode::bad_request, "the body is not a JSON object");
  return parsed;
}

/// The value of an optional string field.
Result<std::string> text_field(const json& body, const char* field, std::string fallback) {
  const auto found = body.find(field);
  if (found == body.end()) return fallback;
  if (!found->is_string())
    return fail(ErrorCode::bad_request, std::string("\"") + field + "\" is not a string");
  return found->get<std::string>();
}

/// What a provider does must not throw: nobody catches it.
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
  return service.admit(std::move(*request));
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

void cancel_run(Service& service, const std::string& digits, httplib::Response& response, const json& body) {
  const auto how = text_field(body, "how", "interrupt");
  if (!how) return refuse(response, how.error());
  const auto level = cancel_how(*how);
  if (!level) {
    const Error unknown{ErrorCode::bad_request, "\"how\" is \"" + *how + "\"",
                        "It is \"interrupt\", \"terminate\" or \"kill\"."};
    return refuse(response, unknown);
  }
  std::uint64_t id = 0;  // Stays 0, which no run has, where the number is too large.
  std::from_chars(digits.data(), digits.data() + digits.size(), id);
  if (auto done = service.cancel(id, *level); !done) return refuse(response, done.error());
  answer(response, {{"id", id}});
}

void stop_daemon(Service& service, httplib::Response& response, const json& body) {
  const auto when = text_field(body, "when", "now");
  if (!when) return refuse(response, when.error());
  if (*when != "now" && *when != "idle") {
    const Error unknown{ErrorCode::bad_request, "\"when\" is \"" + *when + "\"",
                        "It is \"now\" or \"idle\"."};
    return refuse(response, unknown);
  }
  service.stop(*when == "now" ? Service::StopWhen::now : Service::StopWhen::idle);
  answer(response, {{"stopping", true}});
}

Error error_of(std::exception_ptr thrown) {
  Error error{ErrorCode::internal, "an unknown exception", "This is a bug in stest."};
  try {
    std::rethrow_exception(std::move(thrown));
  } catch (const std::exception& known) {
    error.message = known.what();
  } catch (...) {
  }
  return error;
}

}  // namespace

/// httplib's server with what it keeps to itself: a longer backlog, and a stop that cannot be missed.
class HttpServer::Server : public httplib::Server {
 public:
  bool lengthen_backlog() { return ::listen(svr_sock_, backlog) == 0; }

  // httplib's own stop() does nothing before listen_after_bind() has begun. This one ends the accept()
  // that runs or will run; httplib then closes the socket itself.
  void stop_accepting() { ::shutdown(svr_sock_, SHUT_RDWR); }

  void route(Service& service);
  void route_errors();

 private:
  /// `endpoint(request, response, body)` is called with the parsed JSON body.
  template <class Endpoint>
  void post(const std::string& pattern, Endpoint endpoint);
};

template <class Endpoint>
void HttpServer::Server::post(const std::string& pattern, Endpoint endpoint) {
  Post(pattern, [endpoint](const httplib::Request& request, httplib::Response& response,
                           const httplib::ContentReader& reader) {
    response.status = 200;
    const auto body = read_json(request, reader);
    if (!body) return refuse(response, body.error(), response.status == 413 ? 413 : 400);
    endpoint(request, response, *body);
  });
}

void HttpServer::Server::route(Service& service) {
  Get("/v1/status", [&](const auto&, auto& response) { answer(response, service.status()); });
  post("/v1/test/run/stream",
       [&](const auto&, auto& response, const json& body) { stream_run(service, response, body); });
  post("/v1/test/run",
       [&](const auto&, auto& response, const json& body) { collect_run(service, response, body); });
  post(R"(/v1/test/run/(\d+)/cancel)", [&](const auto& request, auto& response, const json& body) {
    cancel_run(service, request.matches[1], response, body);
  });
  post("/v1/stop",
       [&](const auto&, auto& response, const json& body) { stop_daemon(service, response, body); });
}

void HttpServer::Server::route_errors() {
  HandlerWithResponse on_error = [](const auto& request, auto& response) {
    if (!response.body.empty()) return HandlerResponse::Unhandled;
    refuse(response, error_of_status(request, response.status), response.status);
    return HandlerResponse::Handled;
  };
  set_error_handler(std::move(on_error));
  set_exception_handler([](const auto& request, auto& response, std::exception_ptr thrown) {
    const auto error = error_of(std::move(thrown));
    spdlog::error("{} {}: {}", request.method, request.path, error.message);
    refuse(response, error);
  });
}

HttpServer::HttpServer(Service& service) : server_(std::make_unique<Server>()) {
  server_->new_task_queue = [] { return new ConnectionThreads; };
  server_->set_address_family(AF_UNIX);
  server_->set_keep_alive_max_count(1);
  server_->set_payload_max_length(max_body);
  server_->set_read_timeout(read_timeout);
  server_->set_write_timeout(write_timeout);
  server_->route(service);
  server_->route_errors();
}

HttpServer::~HttpServer() = default;

Status HttpServer::bind(const std::filesystem::path& socket) {
  std::error_code ignored;
  std::filesystem::remove(socket, ignored);
  const auto old_mask = ::umask(0177);
  const bool bound = server_->bind_to_port(socket.string(), no_port) && server_->lengthen_backlog();
  const int reason = errno;
  ::umask(old_mask);
  if (bound) return {};
  return fail(ErrorCode::daemon_unavailable,
              "cannot listen at " + socket.string() + ": " + std::strerror(reason),
              "Set SPRINTEST_DIR to a folder on a local disk where sockets can be made.");
}

void HttpServer::serve() { server_->listen_after_bind(); }

void HttpServer::stop() { server_->stop_accepting(); }

}  // namespace stest
