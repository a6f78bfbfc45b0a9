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
  int status = 500;  ///< Of HTTP.
  Error error;
  std::string allow = {};  ///< The methods that there are, with status 405.
};

/// With the status that belongs to the error's code.
Refusal refusal_of(const Error& error);

/// What is wrong with the head of a request, if anything: who sends it, what it asks for, the body that it
/// announces. To be asked before any of the body is read.
std::optional<Refusal> check_head(const httplib::Request& request, const Endpoint& endpoint,
                                  const RouteTable& routes);

/// What to say of an error that httplib found, with the status that it chose.
Refusal refusal_of_httplib(const httplib::Request& request, int status, const RouteTable& routes);

/// The body, a JSON object; no body is an empty one.
tl::expected<nlohmann::json, Refusal> read_json(const httplib::Request& request,
                                                const httplib::ContentReader& reader);

/// The only field that `body` may have, a string.
Result<std::string> only_field(const nlohmann::json& body, const char* field, std::string fallback);

}  // namespace stest
