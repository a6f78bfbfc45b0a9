#include "common/config/setting_values.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <string_view>
#include <utility>

namespace stest {
namespace {

using Unit = std::pair<std::string_view, double>;

constexpr std::array<Unit, 4> kDurations{{{"ms", 1e-3}, {"s", 1}, {"m", 60}, {"h", 3600}}};
constexpr std::array<Unit, 9> kSizes{{{"b", 1},
                                      {"kb", 1e3},
                                      {"mb", 1e6},
                                      {"gb", 1e9},
                                      {"tb", 1e12},
                                      {"kib", 1024.0},
                                      {"mib", 1024.0 * 1024},
                                      {"gib", 1024.0 * 1024 * 1024},
                                      {"tib", 1024.0 * 1024 * 1024 * 1024}}};

constexpr double kMaxSeconds = 1e9;  // About 30 years.
constexpr double kMaxBytes = 1e18;

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(),
                 [](unsigned char letter) { return static_cast<char>(std::tolower(letter)); });
  return result;
}

/// Parses a number, spaces and a unit. With `bare_number` the unit may be missing.
template <std::size_t Count>
std::optional<double> parse_quantity(std::string_view text, const std::array<Unit, Count>& units,
                                     bool bare_number) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{}) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  if (text.empty()) return bare_number ? std::optional(number) : std::nullopt;
  const std::string name = lower(text);
  for (const auto& [unit, factor] : units) {
    if (unit == name) return number * factor;
  }
  return std::nullopt;
}

/// A number without a unit, or a string with one.
template <std::size_t Count>
std::optional<double> parse_measure(const RawValue& raw, const std::array<Unit, Count>& units) {
  if (const auto* whole = std::get_if<std::int64_t>(&raw.value)) return static_cast<double>(*whole);
  if (const auto* real = std::get_if<double>(&raw.value)) return *real;
  const auto* text = std::get_if<std::string>(&raw.value);
  return text != nullptr ? parse_quantity(*text, units, raw.from_variable) : std::nullopt;
}

}  // namespace

std::optional<bool> parse_bool(const RawValue& raw) {
  if (const bool* value = std::get_if<bool>(&raw.value)) return *value;
  const auto* text = std::get_if<std::string>(&raw.value);
  if (text == nullptr || !raw.from_variable) return std::nullopt;
  const std::string word = lower(*text);
  if (word == "1" || word == "true" || word == "yes" || word == "on") return true;
  if (word == "0" || word == "false" || word == "no" || word == "off") return false;
  return std::nullopt;
}

std::optional<int> parse_int(const RawValue& raw, int low, int high) {
  std::int64_t number = 0;
  if (const auto* whole = std::get_if<std::int64_t>(&raw.value)) {
    number = *whole;
  } else {
    const auto* text = std::get_if<std::string>(&raw.value);
    if (text == nullptr || !raw.from_variable) return std::nullopt;
    const char* text_end = text->data() + text->size();
    const auto [end, error] = std::from_chars(text->data(), text_end, number);
    if (error != std::errc{} || end != text_end) return std::nullopt;
  }
  if (number < low || number > high) return std::nullopt;
  return static_cast<int>(number);
}

std::optional<std::string> parse_text(const RawValue& raw) {
  const auto* text = std::get_if<std::string>(&raw.value);
  return text != nullptr && !text->empty() ? std::optional(*text) : std::nullopt;
}

std::optional<std::vector<std::string>> parse_list(const RawValue& raw) {
  const auto* list = std::get_if<std::vector<std::string>>(&raw.value);
  return list != nullptr ? std::optional(*list) : std::nullopt;
}

std::optional<std::chrono::milliseconds> parse_duration(const RawValue& raw) {
  const std::optional<double> seconds = parse_measure(raw, kDurations);
  // Written so that NaN fails too.
  if (!seconds || !(*seconds >= 1e-3 && *seconds <= kMaxSeconds)) return std::nullopt;
  return std::chrono::milliseconds(std::llround(*seconds * 1000));
}

std::optional<std::uint64_t> parse_size(const RawValue& raw) {
  if (std::holds_alternative<double>(raw.value)) return std::nullopt;
  const std::optional<double> bytes = parse_measure(raw, kSizes);
  if (!bytes || !(*bytes >= 1 && *bytes <= kMaxBytes)) return std::nullopt;
  return static_cast<std::uint64_t>(*bytes);
}

}  // namespace stest
