#include "daemon/http/http_request.hpp"

#include <strings.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <string_view>

#include "common/json/json_fields.hpp"
#include "daemon/http/access.hpp"

namespace stest {

namespace {

using nlohmann::json;

/// More than any request needs. Nested lists need many times the memory of their text.
constexpr int max_depth = 32;

Refusal bad_request(int status, std::string message, std::string hint = {}) {
  return {status, {ErrorCode::bad_request, std::move(message), std::move(hint)}};
}

Refusal too_large() { return bad_request(413, "the body is larger than 64 MiB"); }

std::vector<std::string> values_of(const httplib::Request& request, const char* header) {
  std::vector<std::string> values;
  const auto [begin, end] = request.headers.equal_range(header);
  for (auto at = begin; at != end; ++at) values.push_back(at->second);
  return values;
}

std::string joined(const std::vector<std::string>& list) {
  std::string text;
  for (const auto& item : list) text += (text.empty() ? "" : ", ") + item;
  return text;
}

std::optional<Refusal> check_route(const std::string& method, const std::string& path,
                                   const RouteTable& routes) {
  const auto methods = routes.methods_of(path);
  if (methods.empty()) {
    return Refusal{404,
                   {ErrorCode::not_found, "there is no " + method + " " + path,
                    "GET /v1/openapi.json lists all requests."}};
  }
  if (std::find(methods.begin(), methods.end(), method) != methods.end()) return std::nullopt;
  auto refusal =
      bad_request(405, path + " is not served with " + method, "It is served with " + joined(methods) + ".");
  refusal.allow = joined(methods);
  return refusal;
}

/// httplib accepts any text as a length, and waits for the end of a body with an unknown coding.
std::optional<Refusal> check_length(const httplib::Request& request) {
  const auto codings = values_of(request, "Transfer-Encoding");
  const auto lengths = values_of(request, "Content-Length");
  if (codings.size() + lengths.size() > 1) return bad_request(400, "the body's length is given twice");
  if (!codings.empty() && ::strcasecmp(codings.front().c_str(), "chunked") != 0) {
    return bad_request(400, "the Transfer-Encoding is not \"chunked\"");
  }
  if (lengths.empty()) return std::nullopt;
  const auto& text = lengths.front();
  std::uint64_t length = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), length);
  if (text.empty() || end != text.data() + text.size() || error == std::errc::invalid_argument) {
    return bad_request(400, "the Content-Length is not a number");
  }
  if (error != std::errc{} || length > max_body) return too_large();
  return std::nullopt;
}

tl::expected<std::string, Refusal> read_body(const httplib::Request& request,
                                             const httplib::ContentReader& reader) {
  std::string body;
  // Without one of these headers there is no body, but httplib would wait until the client closes.
  if (!request.has_header("Content-Length") && !request.has_header("Transfer-Encoding")) return body;
  if (request.is_multipart_form_data()) {
    return tl::unexpected(bad_request(400, "the body is not JSON, but multipart/form-data"));
  }
  bool is_too_large = false;
  const bool whole = reader([&](const char* data, std::size_t size) {
    is_too_large = body.size() + size > max_body;
    if (!is_too_large) body.append(data, size);
    return !is_too_large;
  });
  if (is_too_large) return tl::unexpected(too_large());
  if (!whole) {
    return tl::unexpected(bad_request(400, "the body is malformed, or was not complete within 60 s"));
  }
  return body;
}

bool is_too_deep(std::string_view text) {
  int depth = 0;
  bool in_string = false;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char letter = text[at];
    if (letter == '"') {
      in_string = !in_string;
    } else if (in_string) {
      if (letter == '\\') ++at;
    } else if (letter == '[' || letter == '{') {
      if (++depth > max_depth) return true;
    } else if (letter == ']' || letter == '}') {
      --depth;
    }
  }
  return false;
}

}  // namespace

Refusal refusal_of(const Error& error) {
  switch (error.code) {
    case ErrorCode::usage:
    case ErrorCode::config:
    case ErrorCode::bad_request:
      return {400, error};
    case ErrorCode::unauthorized:
      return {401, error};
    case ErrorCode::forbidden:
      return {403, error};
    case ErrorCode::not_found:
      return {404, error};
    case ErrorCode::busy:
      return {409, error};
    case ErrorCode::daemon_unavailable:
      return {503, error};
    default:
      return {500, error};
  }
}

std::optional<Refusal> check_head(const httplib::Request& request, const Endpoint& endpoint,
                                  const RouteTable& routes) {
  const Claims claims{values_of(request, "Host"), values_of(request, "Authorization")};
  if (auto access = check_access(endpoint, claims); !access) return refusal_of(access.error());
  if (auto refused = check_route(request.method, request.path, routes)) return refused;
  return check_length(request);
}

Refusal refusal_of_httplib(const httplib::Request& request, int status, const RouteTable& routes) {
  if (status >= 500) return {status, {ErrorCode::internal, "the request could not be served", ""}};
  if (status == 414) return bad_request(status, "the path is longer than 8192 bytes");
  // At an unknown method httplib stops before it parses the path.
  const bool has_line = request.path.empty() && request.version.starts_with("HTTP/1.");
  if (const auto refusal = has_line ? check_route(request.method, request.target, routes) : std::nullopt) {
    return *refusal;
  }
  return bad_request(status, "this is not a valid HTTP request");
}

tl::expected<json, Refusal> read_json(const httplib::Request& request, const httplib::ContentReader& reader) {
  auto body = read_body(request, reader);
  if (!body) return tl::unexpected(body.error());
  if (body->empty()) return json::object();
  if (is_too_deep(*body)) {
    return tl::unexpected(bad_request(400, "the body is nested deeper than 32 levels"));
  }
  auto parsed = json::parse(*body, nullptr, false);
  if (parsed.is_discarded()) return tl::unexpected(bad_request(400, "the body is not valid JSON"));
  if (!parsed.is_object()) return tl::unexpected(bad_request(400, "the body is not a JSON object"));
  return parsed;
}

Result<std::string> only_field(const json& body, const char* field, std::string fallback) {
  FieldReader fields(body, "request");
  fields.refuse_others({field});
  const auto found = body.find(field);
  if (found != body.end() && !found->is_string()) fields.mistyped(field, "a string");
  if (auto status = fields.status(); !status) return tl::unexpected(status.error());
  return found == body.end() ? std::move(fallback) : found->get<std::string>();
}

}  // namespace stest
