#include "daemon/http/raw_refusal.hpp"

#include <nlohmann/json.hpp>

#include "stest/messages.hpp"

namespace stest {

namespace {

const char* phrase(int status) {
  switch (status) {
    case 403:
      return "Forbidden";
    case 408:
      return "Request Timeout";
    case 431:
      return "Request Header Fields Too Large";
    default:
      return "Service Unavailable";
  }
}

}  // namespace

std::string raw_refusal(int status, const Error& error) {
  const std::string body = to_json(error).dump() + "\n";
  return "HTTP/1.1 " + std::to_string(status) + " " + phrase(status) +
         "\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\n\r\n" + body;
}

}  // namespace stest
