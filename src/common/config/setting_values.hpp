#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace stest {

/// A value as the user wrote it, not yet checked.
struct RawValue {
  /// A type that no setting has; `text` describes it.
  struct Other {};
  std::variant<Other, bool, std::int64_t, double, std::string, std::vector<std::string>> value;
  std::string text;            ///< For messages: "\"x\"", "7", "a table".
  bool from_variable = false;  ///< A string that may represent a value of any type.
};

/// Each returns nothing if the value has another type. Only the value of a variable may be a number or a
/// boolean as a string.
std::optional<bool> parse_bool(const RawValue& raw);
std::optional<int> parse_int(const RawValue& raw, int low, int high);
std::optional<std::string> parse_text(const RawValue& raw);  ///< Not empty.
std::optional<std::vector<std::string>> parse_list(const RawValue& raw);

/// Seconds as a number, or a string such as "500ms", "30s", "5m", "2h"; more than 0.
std::optional<std::chrono::milliseconds> parse_duration(const RawValue& raw);

/// Bytes as a whole number, or a string such as "512MB" (powers of 1000) or "8GiB" (of 1024); more than 0.
std::optional<std::uint64_t> parse_size(const RawValue& raw);

}  // namespace stest
