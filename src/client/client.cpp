#include "client/client.hpp"

#include <chrono>
#include <nlohmann/json.hpp>

#include "client/http_exchange.hpp"

namespace stest {
namespace {

using namespace std::chrono_literals;

constexpr auto answer_patience = 10s;
constexpr auto cancel_patience = 2s;

HttpRequest post(std::string path, const nlohmann::json& body = nlohmann::json::object()) {
  return {"POST", std::move(path), body.dump()};
}

bool is_success(int status) { return status >= 200 && status < 300; }

Error refusal(int status, const std::string& body) {
  const auto json = nlohmann::json::parse(body, nullptr, false);
  if (json.is_object() && json.contains("error")) return error_from_json(json);
  return {ErrorCode::internal, "the daemon answered with HTTP status " + std::to_string(status),
          "see `stest logs`"};
}

Result<nlohmann::json> ask(const Endpoint& endpoint, const HttpRequest& request,
                           std::chrono::milliseconds patience) {
  std::string body;
  const auto status = exchange(endpoint, request, patience, [&](int, std::string_view piece) {
    body += piece;
    return true;
  });
  if (!status) return tl::unexpected(status.error());
  if (!is_success(*status)) return tl::unexpected(refusal(*status, body));
  auto json = nlohmann::json::parse(body, nullptr, false);
  if (json.is_discarded()) {
    return fail(ErrorCode::internal, "the daemon's answer is not JSON", "`stest restart` starts a new one");
  }
  return json;
}

std::string_view name(StopWhen when) { return when == StopWhen::now ? "now" : "idle"; }

/// Takes the answer to a run as it arrives, and passes each line to the sink as an event. The body of a
/// refusal is kept instead.
class RunStream {
 public:
  explicit RunStream(const EventSink& sink) : sink_(sink) {}

  bool receive(int status, std::string_view piece) {
    status_ = status;
    buffer_ += piece;
    return !is_success(status_) || take_lines();
  }

  Result<event::Done> finish(const Result<int>& answer) const {
    if (done_) return *done_;
    if (error_) return tl::unexpected(*error_);
    if (!answer && status_ == 0) return tl::unexpected(answer.error());
    if (const int status = answer.value_or(status_); !is_success(status)) {
      return tl::unexpected(refusal(status, buffer_));
    }
    return fail(ErrorCode::daemon_unavailable, "the connection to the daemon was lost while the tests ran",
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
      return stop_with({ErrorCode::internal, "the daemon sent an invalid event: " + event.error().message,
                        "`stest restart` starts a new one"});
    if (const auto* done = std::get_if<event::Done>(&*event)) done_ = *done;
    return sink_(*event) || stop_with({ErrorCode::cancelled, "the reader of the run's events has left", ""});
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

Result<nlohmann::json> DaemonClient::status() const {
  return ask(endpoint_, {"GET", "/v1/status", ""}, answer_patience);
}

Status DaemonClient::stop(StopWhen when) const {
  return ask(endpoint_, post("/v1/stop", {{"when", name(when)}}), answer_patience).map([](const auto&) {});
}

Status DaemonClient::cancel(std::uint64_t id, CancelHow how) const {
  const auto request = post("/v1/test/run/" + std::to_string(id) + "/cancel", {{"how", name(how)}});
  return ask(endpoint_, request, cancel_patience).map([](const auto&) {});
}

Status DaemonClient::suspend(std::uint64_t id, bool on) const {
  const auto path = "/v1/test/run/" + std::to_string(id) + (on ? "/suspend" : "/resume");
  return ask(endpoint_, post(path), cancel_patience).map([](const auto&) {});
}

Status DaemonClient::ask_stack(std::uint64_t id) const {
  const auto path = "/v1/test/run/" + std::to_string(id) + "/stack";
  return ask(endpoint_, post(path), cancel_patience).map([](const auto&) {});
}

Result<event::Done> DaemonClient::run(const RunRequest& request, const EventSink& sink,
                                      std::vector<int> fds) const {
  RunStream stream(sink);
  // A run may be silent for any time.
  auto http = post("/v1/test/run/stream", to_json(request));
  http.fds = std::move(fds);
  return stream.finish(exchange(endpoint_, http, for_ever, [&](int status, std::string_view piece) {
    return stream.receive(status, piece);
  }));
}

}  // namespace stest
