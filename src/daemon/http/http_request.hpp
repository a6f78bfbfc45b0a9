#pragma once

#include <httplib.h>

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "common/status_file.hpp"
#include "daemon/http/route_table.hpp"

namespace stest {

constexpr std::size_t max_body = 64u << 20;

/// Why a request is not served.
struct Refusal {
  int status = 500;  ///< The HTTP status.
  Error error;
  std::string allow = {};  ///< With status 405: the permitted methods.
};

/// A refusal with the HTTP status for the error's code.
Refusal refusal_of(const Error& error);

/// Checks the head of a request before the body is read: access, route, and the announced body. Nothing if
/// all is well.
std::optional<Refusal> check_head(const httplib::Request& request, const Endpoint& endpoint,
                                  const RouteTable& routes);

/// The refusal for an error that httplib has found, with httplib's status.
Refusal refusal_of_httplib(const httplib::Request& request, int status, const RouteTable& routes);

/// Reads the body, a JSON object; an empty one if there is no body.
tl::expected<nlohmann::json, Refusal> read_json(const httplib::Request& request,
                                                const httplib::ContentReader& reader);

/// The string in `field`, the only field that `body` may have; `fallback` if it is missing.
Result<std::string> only_field(const nlohmann::json& body, const char* field, std::string fallback);

}  // namespace stest
