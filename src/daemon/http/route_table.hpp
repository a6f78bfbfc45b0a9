#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace stest {

/// The methods and paths of the API. In a path, `{id}` represents a number.
class RouteTable {
 public:
  void add(std::string method, std::string path);

  /// The methods for `path`, in order; empty if there is no such path.
  std::vector<std::string> methods_of(std::string_view path) const;

  /// "GET /v1/status", …
  std::vector<std::string> all() const;

  /// `path` as a regular expression that captures the number.
  static std::string pattern(const std::string& path);

 private:
  std::vector<std::pair<std::string, std::string>> routes_;
};

}  // namespace stest
