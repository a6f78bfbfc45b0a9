#include "daemon/http/route_table.hpp"

#include <algorithm>

namespace stest {

namespace {

constexpr std::string_view id_word = "{id}";
constexpr std::size_t max_digits = 20;  // Of a 64-bit number.

bool is_number(std::string_view text) {
  return !text.empty() && text.size() <= max_digits &&
         std::all_of(text.begin(), text.end(), [](char digit) { return digit >= '0' && digit <= '9'; });
}

bool matches(std::string_view path, std::string_view pattern) {
  const auto at = pattern.find(id_word);
  if (at == pattern.npos) return path == pattern;
  const auto head = pattern.substr(0, at);
  const auto tail = pattern.substr(at + id_word.size());
  return path.size() > head.size() + tail.size() && path.starts_with(head) && path.ends_with(tail) &&
         is_number(path.substr(at, path.size() - head.size() - tail.size()));
}

}  // namespace

void RouteTable::add(std::string method, std::string path) {
  routes_.emplace_back(std::move(method), std::move(path));
}

std::vector<std::string> RouteTable::methods_of(std::string_view path) const {
  std::vector<std::string> methods;
  for (const auto& [method, pattern] : routes_) {
    if (matches(path, pattern)) methods.push_back(method);
  }
  return methods;
}

std::vector<std::string> RouteTable::all() const {
  std::vector<std::string> texts;
  texts.reserve(routes_.size());
  for (const auto& [method, path] : routes_) texts.emplace_back(method).append(" ").append(path);
  return texts;
}

std::string RouteTable::pattern(const std::string& path) {
  const auto at = path.find(id_word);
  return at == path.npos ? path : path.substr(0, at) + R"((\d+))" + path.substr(at + id_word.size());
}

}  // namespace stest
