#include "daemon/http/access.hpp"

#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>

namespace stest {

namespace {

constexpr std::array<std::string_view, 3> own_names{"127.0.0.1", "localhost", "[::1]"};
constexpr std::string_view scheme = "bearer ";

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char letter) { return static_cast<char>(std::tolower(letter)); });
  return text;
}

bool is_own_name(const std::string& host, int port) {
  return std::any_of(own_names.begin(), own_names.end(), [&](std::string_view name) {
    return host == std::string(name) + ":" + std::to_string(port) || (port == 80 && host == name);
  });
}

bool has_token(const Claims& claims, const std::string& token) {
  if (claims.authorizations.size() != 1) return false;
  const std::string& given = claims.authorizations.front();
  return lower(given.substr(0, scheme.size())) == scheme &&
         equal_in_constant_time(std::string_view(given).substr(scheme.size()), token);
}

}  // namespace

Result<std::string> make_token() {
  constexpr std::string_view digits = "0123456789abcdef";
  std::array<unsigned char, 32> bytes{};
  if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    return errno_error("getrandom");
  }
  std::string token;
  for (const auto byte : bytes) (token += digits[byte >> 4]) += digits[byte & 15];
  return token;
}

bool equal_in_constant_time(std::string_view left, std::string_view right) {
  if (left.size() != right.size()) return false;
  volatile unsigned char difference = 0;
  for (std::size_t i = 0; i < left.size(); ++i) {
    difference = difference | static_cast<unsigned char>(left[i] ^ right[i]);
  }
  return difference == 0;
}

bool is_own_user(int connection) {
  ucred peer{};
  socklen_t size = sizeof peer;
  return ::getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.uid == ::geteuid();
}

Status check_access(const Endpoint& endpoint, const Claims& claims) {
  if (claims.hosts.size() != 1) {
    return fail(ErrorCode::bad_request, "the request does not have exactly one Host header",
                "HTTP/1.1 requires one.");
  }
  if (!endpoint.socket.empty()) return {};
  if (!is_own_name(lower(claims.hosts.front()), endpoint.port)) {
    return fail(ErrorCode::forbidden, "the Host header does not name this daemon",
                "Use 127.0.0.1:" + std::to_string(endpoint.port) + ", or localhost with that port.");
  }
  if (!has_token(claims, endpoint.token)) {
    return fail(ErrorCode::unauthorized, "the request has no valid token",
                "Send `Authorization: Bearer TOKEN`; TOKEN is endpoint.token in .sprintest/status.json.");
  }
  return {};
}

}  // namespace stest
